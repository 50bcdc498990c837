import assert from 'node:assert/strict';
import test from 'node:test';

import { moveOf, typeAhead } from '../lib/keys.js';
import { buildTree, flatten } from '../lib/tree.js';
import { entries } from './support.mjs';

// 0 demo >      1 lab v      2 lab.laser      3 lab.lens      4 scope
const rows = flatten(buildTree(entries('demo.host', 'lab.laser', 'lab.lens', 'scope'), '.'), path => path === 'lab');

const moves = [
  ['ArrowDown', 0, { kind: 'select', index: 1 }],
  ['ArrowDown', 4, { kind: 'select', index: 4 }],
  ['ArrowUp', 0, { kind: 'select', index: 0 }],
  ['PageDown', 1, { kind: 'select', index: 4 }],
  ['Home', 3, { kind: 'select', index: 0 }],
  ['End', 1, { kind: 'select', index: 4 }],
  ['ArrowRight', 0, { kind: 'open', index: 0, open: true }],
  ['ArrowRight', 1, { kind: 'select', index: 2 }],
  ['ArrowRight', 2, null],
  ['ArrowLeft', 1, { kind: 'open', index: 1, open: false }],
  ['ArrowLeft', 3, { kind: 'select', index: 1 }],
  ['ArrowLeft', 4, null],
  ['Enter', 2, { kind: 'insert', index: 2 }],
  ['Enter', 0, { kind: 'open', index: 0, open: true }],
  [' ', 1, { kind: 'open', index: 1, open: false }],
  ['Tab', 1, null],
  ['ArrowDown', -1, null]
];
for (const [key, index, expected] of moves) {
  test(`${JSON.stringify(key)} on row ${index}`, () => {
    assert.deepEqual(moveOf(key, rows, index, 3), expected);
  });
}

test('a letter goes to the next row that begins with it, round the end', () => {
  assert.equal(typeAhead(rows, 0, 'l'), 1);
  assert.equal(typeAhead(rows, 1, 'l'), 2);
  assert.equal(typeAhead(rows, 3, 'L'), 1);
});

test('the same letter again goes on', () => {
  assert.equal(typeAhead(rows, 1, 'll'), 2);
});

test('more letters narrow down, and stay where they match', () => {
  assert.equal(typeAhead(rows, 1, 'le'), 3);
  assert.equal(typeAhead(rows, 3, 'len'), 3);
  assert.equal(typeAhead(rows, 0, 'lx'), -1);
});

test('an empty tree has nowhere to go', () => {
  assert.equal(typeAhead([], -1, 'a'), -1);
});
