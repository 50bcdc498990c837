import assert from 'node:assert/strict';
import test from 'node:test';

import { identifierFor, unusedIdentifier } from '../lib/identifier.js';

const cases = {
  'demo.host': 'host',
  host: 'host',
  'lab.laser-1': 'laser_1',
  'lab.2': 'obj_2',
  'lab.class': 'class_',
  'lab.print': 'print_',
  'lab.type': 'type_',
  'lab.In': 'In_',
  'lab.ValueError': 'ValueError_',
  'lab.KeyboardInterrupt': 'KeyboardInterrupt_',
  'lab.': 'lab',
  '': 'obj',
  '---': 'obj',
  'lab.mesure été': 'mesure_été',
  'lab.ﬁber': 'fiber',
  'lab/scope': 'lab_scope',
  __init__: 'init',
  __proto__: 'proto'
};
for (const [name, variable] of Object.entries(cases)) {
  test(`${name || 'the empty name'} becomes ${variable}`, () => {
    assert.equal(identifierFor(name), variable);
  });
}

test('the separator of the tree is the separator here', () => {
  assert.equal(identifierFor('lab/scope', '/'), 'scope');
  assert.equal(identifierFor('lab.scope', ''), 'lab_scope');
});

test('a used variable gets a number', () => {
  assert.equal(unusedIdentifier('host', new Set()), 'host');
  assert.equal(unusedIdentifier('host', new Set(['host', 'host2'])), 'host3');
});
