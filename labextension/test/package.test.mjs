import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
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

test('the style sheets have no colours of their own', () => {
  const names = 'white|black|red|green|blue|gr[ae]y|orange|yellow|purple|silver';
  for (const file of readdirSync(new URL('../style', import.meta.url)).filter(file => file.endsWith('.css'))) {
    const rules = read(`style/${file}`).replace(/\/\*.*?\*\//gs, '');

    assert.doesNotMatch(rules, new RegExp(`#[0-9a-f]{3,8}\\b|rgba?\\(|hsla?\\(|:[^;]*\\b(${names})\\b`, 'i'), file);
  }
});
