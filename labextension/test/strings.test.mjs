/** No text that a user sees escapes the translation: the sources are read as the compiler reads them. */

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import test from 'node:test';

import ts from 'typescript';

const SRC = new URL('../src/', import.meta.url);

// Attributes and fields whose text people see or hear.
const SHOWN = new Set(
  'title label caption placeholder alt aria-label aria-description aria-roledescription aria-valuetext word reason hint note body'.split(
    ' '
  )
);
const WORDS = /\p{L}{2,}/u;

/** The literal texts in a source that are shown without having gone through `trans`. */
function escaped(source, text) {
  const file = ts.createSourceFile(source, text, ts.ScriptTarget.Latest, true, ts.ScriptKind.TSX);
  const found = [];
  const tell = node => {
    const { line } = file.getLineAndCharacterOfPosition(node.getStart());
    found.push(`${source}:${line + 1} ${node.getText()}`);
  };
  /** Looks at a value that is shown; what a call gives is not ours to judge here. */
  const value = node => {
    if (ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node)) {
      if (WORDS.test(node.text)) {
        tell(node);
      }
    } else if (ts.isTemplateExpression(node)) {
      if ([node.head, ...node.templateSpans.map(span => span.literal)].some(piece => WORDS.test(piece.text))) {
        tell(node);
      }
    } else if (ts.isConditionalExpression(node)) {
      value(node.whenTrue);
      value(node.whenFalse);
    } else if (ts.isBinaryExpression(node) && /^(&&|\|\||\?\?|\+)$/.test(node.operatorToken.getText())) {
      if (node.operatorToken.kind !== ts.SyntaxKind.AmpersandAmpersandToken) {
        value(node.left);
      }
      value(node.right);
    } else if (ts.isJsxExpression(node) && node.expression) {
      value(node.expression);
    } else if (ts.isParenthesizedExpression(node)) {
      value(node.expression);
    }
  };
  const visit = node => {
    if (ts.isJsxText(node) && WORDS.test(node.text)) {
      tell(node);
    } else if (ts.isJsxExpression(node) && !ts.isJsxAttribute(node.parent) && node.expression) {
      value(node.expression);
    } else if (ts.isJsxAttribute(node) && SHOWN.has(node.name.getText()) && node.initializer) {
      value(node.initializer);
    } else if (ts.isPropertyAssignment(node) && SHOWN.has(node.name.getText())) {
      value(node.initializer);
    } else if (ts.isCallExpression(node)) {
      translation(node);
    }
    ts.forEachChild(node, visit);
  };
  /** What is translated must stand there, or no tool finds it. */
  const translation = node => {
    const [, name] = /\btrans\.(__|_n|_p|_np)$/.exec(node.expression.getText()) ?? [];
    const count = { __: 1, _n: 2, _p: 2, _np: 3 }[name] ?? 0;
    const literal = part =>
      ts.isStringLiteral(part) || (ts.isBinaryExpression(part) && literal(part.left) && literal(part.right));
    if (!node.arguments.slice(0, count).every(literal)) {
      tell(node);
    }
  };
  visit(file);
  return found;
}

test('the sources show nothing that is not translated', () => {
  const files = readdirSync(SRC, { recursive: true }).filter(file => /\.tsx?$/.test(file));

  assert.ok(files.length > 20);
  assert.deepEqual(
    files.flatMap(file => escaped(file, readFileSync(new URL(file, SRC), 'utf8'))),
    []
  );
});

const LEAKS = [
  '<p>Hello</p>',
  '<p>{open ? "Close" : trans.__("Open")}</p>',
  '<button title="Press me" />',
  '<button aria-label={`Remove ${name}`} />',
  '<p>{open && "It is open"}</p>',
  'const x = { label: "Insert" };',
  'trans.__(text);',
  'trans._n("one", many, 2);'
];
for (const source of LEAKS) {
  test(`this would be found: ${source}`, () => {
    assert.equal(escaped('x.tsx', source).length, 1);
  });
}

test('these are fine', () => {
  for (const source of [
    '<p>{trans.__("Hello")} · {count}</p>',
    '<p className="pyronb-Hello" role="status">{name}</p>',
    '<button title={trans.__("Press " + "me")} />',
    'const x = { label: trans.__("Insert"), id: "pyronb:insert", reason: "" };'
  ]) {
    assert.deepEqual(escaped('x.tsx', source), []);
  }
});
