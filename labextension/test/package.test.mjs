import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';

import { sameRelease, VERSION } from '../lib/version.js';

const read = path => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');

test('the version in the code is the version of the package', () => {
  assert.equal(VERSION, JSON.parse(read('package.json')).version);
});

test('suffixes of a version do not make another release', () => {
  assert.ok(sameRelease('0.1.0', '0.1.0.dev1'));
  assert.ok(sameRelease('0.1.0', '0.1.0a2'));
  assert.ok(!sameRelease('0.1.0', '0.2.0'));
  assert.ok(!sameRelease('0.1.0', '0.1.01'));
});

test('the lock file names no host', () => {
  assert.ok(!read('package-lock.json').includes('"resolved"'));
});

test('the style sheet has no colour of its own', () => {
  const css = ['base', 'kernel'].map(name => read(`style/${name}.css`)).join('\n');

  assert.doesNotMatch(css, /#[0-9a-f]{3,8}\b|rgba?\(|hsla?\(/i);
});
