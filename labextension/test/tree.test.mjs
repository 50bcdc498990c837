import assert from 'node:assert/strict';
import test from 'node:test';

import { buildTree, flatten } from '../lib/tree.js';
import { entries } from './support.mjs';

/** The rows as text: indentation, label, `*` for a registered name, and the caret. */
function drawing(names, separator = '.', isOpen = () => true) {
  const rows = flatten(buildTree(entries(...names), separator), isOpen);
  return rows.map(({ node, level, open }) => {
    const caret = open === null ? '' : open ? ' v' : ' >';
    return '  '.repeat(level - 1) + node.label + (node.entry ? '*' : '') + caret;
  });
}

test('dots make levels', () => {
  assert.deepEqual(drawing(['demo.host', 'demo.scope', 'other']), ['demo v', '  host*', '  scope*', 'other*']);
});

test('a name can be an object and a group at once', () => {
  assert.deepEqual(drawing(['lab.laser.red', 'lab', 'lab.laser']), ['lab* v', '  laser* v', '    red*']);
});

test('numbers are sorted as numbers', () => {
  assert.deepEqual(drawing(['cam10', 'cam2', 'cam1']), ['cam1*', 'cam2*', 'cam10*']);
});

test('a name with an empty part stays whole', () => {
  assert.deepEqual(drawing(['a..b', '.c', 'd.', 'a.e']), ['.c*', 'a v', '  e*', 'a..b*', 'd.*']);
});

test('the separator can be another one, or none', () => {
  assert.deepEqual(drawing(['a/b', 'a.c'], '/'), ['a v', '  b*', 'a.c*']);
  assert.deepEqual(drawing(['a/b', 'a.c'], ''), ['a.c*', 'a/b*']);
});

test('closed groups hide what is below them', () => {
  assert.deepEqual(
    drawing(['a.b.c', 'a.d'], '.', path => path === 'a'),
    ['a v', '  b >', '  d*']
  );
});

test('groups know how many objects are below them', () => {
  const [lab] = buildTree(entries('lab', 'lab.a', 'lab.b.c', 'lab.b.d'), '.');

  assert.equal(lab.size, 3);
  assert.equal(lab.children[1].size, 2);
});

test('rows know their parent and their place among their siblings', () => {
  const rows = flatten(buildTree(entries('a.b', 'a.c', 'd'), '.'), () => true);

  const seen = rows.map(row => [row.parent, row.place, row.siblings]);
  assert.deepEqual(seen, [
    [-1, 1, 2],
    [0, 1, 2],
    [0, 2, 2],
    [-1, 2, 2]
  ]);
});

test('names of the object prototype are names like others', () => {
  assert.deepEqual(drawing(['__proto__.constructor', 'toString']), ['__proto__ v', '  constructor*', 'toString*']);
});
