import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';

import { ROW_HEIGHT, scrollFor, windowOf } from '../lib/window.js';

test('a window of a long list is short', () => {
  const drawn = windowOf(5000, 1000 * ROW_HEIGHT, 20 * ROW_HEIGHT);

  assert.ok(drawn[0] > 980 && drawn[0] <= 1000);
  assert.ok(drawn.at(-1) >= 1019 && drawn.at(-1) < 1040);
  assert.equal(drawn.length, drawn.at(-1) - drawn[0] + 1);
});

test('a window never goes beyond the list', () => {
  assert.deepEqual(windowOf(3, 0, 480), [0, 1, 2]);
  assert.deepEqual(windowOf(0, 0, 480), []);
  assert.deepEqual(windowOf(3, 48_000, 480), []);
});

test('scrolling is as little as needed', () => {
  const height = 10 * ROW_HEIGHT;

  assert.equal(scrollFor(5, 0, height), 0);
  assert.equal(scrollFor(10, 0, height), ROW_HEIGHT);
  assert.equal(scrollFor(2, 5 * ROW_HEIGHT, height), 2 * ROW_HEIGHT);
});

test('the style sheet has the same row height', () => {
  const css = readFileSync(new URL('../style/base.css', import.meta.url), 'utf8');

  assert.match(css, new RegExp(`--pyronb-row-height: ${ROW_HEIGHT}px`));
});
