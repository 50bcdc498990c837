import assert from 'node:assert/strict';
import test from 'node:test';

import { asNames, asObject, ShapeError } from '../lib/models.js';
import { changed, contract } from './support.mjs';

test('the examples of the contract have the expected shape', () => {
  assert.equal(asNames(contract.names), contract.names);
  assert.equal(asNames(contract.failed), contract.failed);
  assert.equal(asObject(contract.object), contract.object);
});

test('an unknown latency and an unknown writability are allowed', () => {
  asObject(changed(contract.object, 'latency', null));
  asObject(changed(contract.object, 'attributes.0.writable', null));
});

test('fields of a newer server are ignored', () => {
  asNames(changed(contract.names, 'nameserver.uptime', 12));
});

const broken = [
  ['state', 'sleeping', 'reply.state is not a state'],
  ['names', null, 'reply.names is not a list'],
  ['names.1.uri', undefined, 'reply.names[1].uri is not a text'],
  ['names.2.tags', 'demo', 'reply.names[2].tags is not a list'],
  ['names.2.tags.0', 7, 'reply.names[2].tags[0] is not a text'],
  ['nameserver.default', 'yes', 'reply.nameserver.default is not true or false'],
  ['nameserver', null, 'reply.nameserver is not an object'],
  ['age', '1', 'reply.age is not a number']
];
for (const [path, value, message] of broken) {
  test(`a reply with a wrong ${path} is refused, and the place is named`, () => {
    assert.throws(() => asNames(changed(contract.names, path, value)), {
      constructor: ShapeError,
      message
    });
  });
}

test('something else than an object is refused', () => {
  for (const value of [null, 'x', [], 3]) {
    assert.throws(() => asNames(value), ShapeError);
    assert.throws(() => asObject(value), ShapeError);
  }
});
