import assert from 'node:assert/strict';
import test from 'node:test';

import { pythonText } from '../lib/python.js';
import { argumentsText, FieldError, fieldsOf, shownInitial } from '../lib/signature.js';

/** The fields in short: name, kind, default. */
const short = signature => fieldsOf(signature).map(({ name, kind, initial }) => [name, kind, initial]);

for (const [signature, expected] of [
  ['()', []],
  ['() -> None', []],
  ['(...)', [['arguments', 'more', '']]],
  ['nonsense', [['arguments', 'more', '']]],
  [
    '(x: int, y: float = 2.5) -> int',
    [
      ['x', 'whole', null],
      ['y', 'number', '2.5']
    ]
  ],
  [
    "(name: str = 'a, b', on: bool = True)",
    [
      ['name', 'text', "'a, b'"],
      ['on', 'truth', 'True']
    ]
  ],
  ["(mode: Literal['a', 'b'] = 'b')", [['mode', 'choice', "'b'"]]],
  [
    '(x, y=3, z=None)',
    [
      ['x', 'value', null],
      ['y', 'whole', '3'],
      ['z', 'value', 'None']
    ]
  ],
  [
    '(x: str | None = None, d: dict[str, int] = {})',
    [
      ['x', 'value', 'None'],
      ['d', 'value', '{}']
    ]
  ],
  ['(x: int = None)', [['x', 'value', 'None']]],
  ['(*args, **options)', [['arguments', 'more', '']]],
  [
    '(a, /, b, *, c: int = 1)',
    [
      ['a', 'value', null],
      ['b', 'value', null],
      ['c', 'whole', '1']
    ]
  ]
]) {
  test(`the fields of ${signature}`, () => {
    assert.deepEqual(short(signature), expected);
  });
}

test('how arguments have to be written', () => {
  const [a, b, c] = fieldsOf('(a, /, b, *, c=1)');
  assert.deepEqual([a.byPosition, b.byPosition, c.byPosition], [true, false, false]);
  assert.deepEqual([a.byName, b.byName, c.byName], [false, false, true]);
});

test('texts are shown without quotes, values as a hint', () => {
  assert.equal(shownInitial(fieldsOf(`(x: str = 'it\\'s')`)[0]), "it's");
  assert.equal(shownInitial(fieldsOf('(x=None)')[0]), '');
});

for (const [signature, values, expected] of [
  ['(x: int, y: int = 2)', { x: '1' }, '1'],
  ['(x: int, y: int = 2)', { x: '1', y: '3' }, '1, 3'],
  ['(x: int = 1, y: int = 2)', { y: '3' }, 'y=3'],
  ['(x: int = 1, y: int = 2)', { x: '1', y: '2' }, ''],
  ['(text: str)', { text: `say "hi"` }, '"say \\"hi\\""'],
  ['(text: str)', {}, '""'],
  ['(on: bool)', { on: 'True' }, 'True'],
  ['(x, *, y=1)', { x: '[1, 2]', y: '2' }, '[1, 2], y=2'],
  ['(x: float)', { x: 'inf' }, 'float("inf")'],
  ['(*args)', { arguments: " 1, b='2' " }, "1, b='2'"],
  ["(m: Literal['a', 'b'])", {}, "'a'"]
]) {
  test(`${signature} with ${JSON.stringify(values)}`, () => {
    assert.equal(argumentsText(fieldsOf(signature), values), expected);
  });
}

for (const [signature, values, problem] of [
  ['(x: int)', {}, 'missing'],
  ['(x: int)', { x: '1.5' }, 'whole'],
  ['(x: float)', { x: 'much' }, 'number'],
  ['(x)', { x: '1), evil(' }, 'balance'],
  ['(x)', { x: "'open" }, 'balance'],
  ['(x)', { x: '1 # rest' }, 'balance'],
  ['(a=1, b=2, /)', { b: '3' }, 'position']
]) {
  test(`${signature} with ${JSON.stringify(values)} is wrong: ${problem}`, () => {
    assert.throws(
      () => argumentsText(fieldsOf(signature), values),
      error => error instanceof FieldError && error.problem === problem
    );
  });
}

test('texts are literals of Python', () => {
  assert.equal(pythonText(`it's "so"\n`), '"it\'s \\"so\\"\\n"');
  assert.equal(pythonText('a\u202eb\ufeff'), '"a\\u202eb\\ufeff"');
  assert.equal(pythonText('\ud800'), '"\\ud800"');
  assert.equal(pythonText('🔬'), '"🔬"');
});
