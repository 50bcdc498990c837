import assert from 'node:assert/strict';
import test from 'node:test';

import { applyListing } from '../lib/listing.js';
import { contract } from './support.mjs';

const { listing, news } = contract;

test('a complete reply takes the place of what was known', () => {
  assert.equal(applyListing([], listing), listing.names);
});

test('names that did not change are the same array, so that nothing is drawn anew', () => {
  const before = structuredClone(listing.names);

  assert.equal(applyListing(before, listing), before);
  assert.equal(applyListing(before, { ...news, names: [], removed: [] }), before);
});

test('changes are put into what was known, in order', () => {
  const after = applyListing(listing.names, news);

  assert.deepEqual(
    after.map(({ name }) => name),
    ['Pyro.NameServer', 'demo.host', 'demo.laser', 'demo.scope']
  );
});

test('a name that is registered anew replaces the old registration', () => {
  const anew = { name: 'demo.host', uri: 'PYRO:anew@h:1', tags: [] };
  const after = applyListing(listing.names, { ...news, names: [anew], removed: [] });

  assert.equal(after.length, 4);
  assert.equal(after[1], anew);
});
