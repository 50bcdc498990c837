import assert from 'node:assert/strict';
import test from 'node:test';

import { Trouble } from '../lib/condition.js';
import { Directory } from '../lib/directory.js';
import { contract } from './support.mjs';

/** A Jupyter server that knows what a test wants. */
class FakeApi {
  asked = [];
  known = structuredClone(contract.nameservers);
  mayNotAdd = new Set();

  async nameServers() {
    return structuredClone(this.known);
  }

  async addNameServer(address) {
    this.asked.push(`add ${address}`);
    if (this.mayNotAdd.has(address)) {
      throw new Trouble({ kind: 'error', reason: 'no', hint: '' });
    }
    this.known.nameservers.push({ address: address.trim(), origin: 'added', default: false });
    return this.nameServers();
  }

  async forgetNameServer(address) {
    this.known.nameservers = this.known.nameservers.filter(known => known.address !== address);
    return this.nameServers();
  }

  async startEmbedded() {
    this.known.nameservers.push({ address: '127.0.0.1:5000', origin: 'embedded', default: false });
    return this.nameServers();
  }

  async stopEmbedded() {
    return this.forgetNameServer('127.0.0.1:5000');
  }
}

async function loaded(...wanted) {
  const api = new FakeApi();
  const directory = new Directory(api);
  const saved = [];
  directory.save = addresses => saved.push(addresses);
  await directory.want(wanted);
  await directory.load();
  return { api, directory, saved };
}

test('the first name server is the one to begin with', async () => {
  const { directory } = await loaded();

  assert.equal(directory.address, '127.0.0.1:9090');
  assert.equal(directory.mayChange, true);
});

test('a choice stays, also over a page that knew of it before the list was there', async () => {
  const directory = new Directory(new FakeApi());
  directory.restore('test-pc:9090', []);
  assert.equal(directory.address, '');
  await directory.load();

  assert.equal(directory.address, 'test-pc:9090');
});

test('a choice that is gone gives way to the first', async () => {
  const { directory } = await loaded();
  directory.choose('test-pc:9090');
  await directory.forget('test-pc:9090');

  assert.equal(directory.address, '127.0.0.1:9090');
  assert.deepEqual(directory.recent, ['test-pc:9090']);
  directory.forgetRecent('test-pc:9090');
  assert.deepEqual(directory.recent, []);
});

test('one is left before it is removed, and looked at again if that fails', async () => {
  const { api, directory } = await loaded();
  directory.choose('test-pc:9090');
  const seen = [];
  api.forgetNameServer = async () => {
    seen.push(directory.address);
    throw new Trouble({ kind: 'network', reason: 'gone', hint: '' });
  };

  await assert.rejects(directory.forget('test-pc:9090'), Trouble);
  assert.deepEqual(seen, ['127.0.0.1:9090']);
  assert.equal(directory.address, 'test-pc:9090');
});

test('the last one is looked at until it is removed', async () => {
  const { api, directory } = await loaded();
  api.known.nameservers = [{ address: 'only:1', origin: 'added', default: false }];
  await directory.load();
  const forget = api.forgetNameServer.bind(api);
  const seen = [];
  api.forgetNameServer = address => {
    seen.push(directory.address);
    return forget(address);
  };
  await directory.forget('only:1');

  assert.deepEqual([seen, directory.address], [['only:1'], '']);
});

test('one that is added is looked at and kept in the settings', async () => {
  const { directory, saved } = await loaded();
  await directory.add(' new-pc:9090 ');

  assert.equal(directory.address, 'new-pc:9090');
  assert.deepEqual(saved, [['new-pc:9090']]);
  await directory.forget('new-pc:9090');
  assert.deepEqual(saved.at(-1), []);
});

test('one that cannot be added is told to whoever wanted it', async () => {
  const { api, directory, saved } = await loaded();
  api.mayNotAdd.add('bad');

  await assert.rejects(directory.add('bad'), Trouble);
  assert.deepEqual(saved, []);
});

test('those of the settings are added, each unless it is there, and one that cannot be does not matter', async t => {
  t.mock.method(console, 'warn', () => undefined);
  const api = new FakeApi();
  api.mayNotAdd.add('bad');
  const directory = new Directory(api);
  await directory.want(['bad', 'test-pc:9090', 'good:1']);
  await directory.load();

  assert.deepEqual(api.asked, ['add bad', 'add good:1']);
  assert.ok(directory.has('good:1'));
});

test('a name server inside is looked at while it runs', async () => {
  const { directory } = await loaded();
  await directory.startEmbedded();
  assert.equal(directory.address, '127.0.0.1:5000');
  assert.equal(directory.embedded, '127.0.0.1:5000');
  await directory.stopEmbedded();

  assert.equal(directory.address, '127.0.0.1:9090');
});

test('only at the usual address of this machine could a name server be started', async () => {
  const { api, directory } = await loaded();
  assert.ok(directory.couldStart('127.0.0.1:9090'));
  assert.ok(!directory.couldStart('test-pc:9090'));
  api.known.read_only = true;
  await directory.load();

  assert.ok(!directory.couldStart('127.0.0.1:9090'));
});
