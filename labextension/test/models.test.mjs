import assert from 'node:assert/strict';
import test from 'node:test';

import { asHealths, asListing, asNameServers, asObject, asOutcome, ShapeError } from '../lib/models.js';
import { changed, contract } from './support.mjs';

test('the examples of the contract have the expected shape', () => {
  for (const name of ['listing', 'news', 'failed']) {
    assert.equal(asListing(contract[name]), contract[name]);
  }
  assert.equal(asNameServers(contract.nameservers), contract.nameservers);
  assert.equal(asHealths(contract.health), contract.health);
  assert.equal(asOutcome(contract.outcome), contract.outcome);
  assert.equal(asObject(contract.object), contract.object);
});

test('an unknown latency and an unknown writability are allowed', () => {
  asObject(changed(contract.object, 'latency', null));
  asObject(changed(contract.object, 'attributes.0.writable', null));
});

test('fields of a newer server are ignored', () => {
  asListing(changed(contract.listing, 'nameserver.uptime', 12));
});

const broken = [
  ['state', 'sleeping', 'reply.state is not a state'],
  ['names', null, 'reply.names is not a list'],
  ['names.1.uri', undefined, 'reply.names[1].uri is not a text'],
  ['names.2.tags', 'demo', 'reply.names[2].tags is not a list'],
  ['names.2.tags.0', 7, 'reply.names[2].tags[0] is not a text'],
  ['nameserver.default', 'yes', 'reply.nameserver.default is not true or false'],
  ['nameserver', null, 'reply.nameserver is not an object'],
  ['age', '1', 'reply.age is not a number'],
  ['retry', 'soon', 'reply.retry is not a number']
];
for (const [path, value, message] of broken) {
  test(`a reply with a wrong ${path} is refused, and the place is named`, () => {
    assert.throws(() => asListing(changed(contract.listing, path, value)), {
      constructor: ShapeError,
      message
    });
  });
}

test('an unknown origin and an unknown health are refused', () => {
  assert.throws(() => asNameServers(changed(contract.nameservers, 'nameservers.0.origin', 'found')), ShapeError);
  assert.throws(() => asHealths(changed(contract.health, 'objects.0.state', 'well')), ShapeError);
});

test('something else than an object is refused', () => {
  for (const value of [null, 'x', [], 3]) {
    assert.throws(() => asListing(value), ShapeError);
    assert.throws(() => asObject(value), ShapeError);
  }
});
