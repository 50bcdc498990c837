import assert from 'node:assert/strict';
import test from 'node:test';

import { conditionOfError, conditionOfNames, isFine, Trouble } from '../lib/condition.js';
import { nameServerNotice, nameServerWord, objectWord, toneOf } from '../lib/wording.js';
import { contract } from './support.mjs';

/** A translator that leaves the English text and fills in the numbers. */
const trans = {
  __: (text, ...values) => text.replace(/%(\d)/g, (_, n) => values[n - 1])
};

const KINDS = [
  'loading',
  'empty',
  'unconfigured',
  'unreachable',
  'refused',
  'wrong-version',
  'unknown',
  'error',
  'no-extension',
  'forbidden',
  'network',
  'bad-reply',
  'unknown-nameserver',
  'checking'
];

test('a good reply with no names but that of the name server is empty, which is fine', () => {
  for (const names of [[], [{ name: 'Pyro.NameServer', uri: '', tags: [] }]]) {
    const condition = conditionOfNames(contract.listing, names);

    assert.equal(condition.kind, 'empty');
    assert.ok(isFine(condition));
  }
  assert.equal(conditionOfNames(contract.listing, contract.listing.names).kind, 'ok');
});

test('a failure keeps what the server said about it', () => {
  const condition = conditionOfNames(contract.failed, []);
  const notice = nameServerNotice(condition, trans);

  assert.equal(condition.kind, 'unreachable');
  assert.equal(notice.reason, contract.failed.reason);
  assert.equal(notice.hint, contract.failed.hint);
});

test('a trouble is its condition, anything else is an error', () => {
  const condition = { kind: 'network', reason: 'gone', hint: '' };

  assert.equal(conditionOfError(new Trouble(condition)), condition);
  assert.equal(conditionOfError(new TypeError('x')).kind, 'error');
});

test('each condition has a title, words and a tone', () => {
  for (const kind of KINDS) {
    const notice = nameServerNotice({ kind, reason: '', hint: '' }, trans);
    assert.ok(notice.title, kind);
    assert.ok(nameServerWord(kind, trans), kind);
    assert.ok(objectWord(kind, trans), kind);
    assert.ok(toneOf(kind), kind);
  }
});

test('a missing server extension says how to enable it', () => {
  const condition = { kind: 'no-extension', reason: '', hint: '' };

  assert.equal(nameServerNotice(condition, trans).code, 'jupyter server extension enable pyronb');
});

test('the example that registers an object finds the name server on view', () => {
  const lines = { '': 'locateNS()', 'lab:9090': 'locateNS("lab", 9090)', './u:/x': 'locateNS("./u:/x")' };
  for (const [address, call] of Object.entries({ ...lines, '[::1]:1': 'locateNS("::1", 1)' })) {
    assert.ok(nameServerNotice({ kind: 'empty', reason: '', hint: '' }, trans, address).code.includes(call), call);
  }
});

test('what the browser says of a broken connection stands beside what it means', () => {
  const { reason } = nameServerNotice({ kind: 'network', reason: 'Failed to fetch', hint: '' }, trans);

  assert.equal(reason, 'The connection to it is broken. (Failed to fetch)');
});
