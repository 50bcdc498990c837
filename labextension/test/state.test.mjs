import assert from 'node:assert/strict';
import test from 'node:test';

import { Trouble } from '../lib/condition.js';
import { Directory } from '../lib/directory.js';
import { Store } from '../lib/state.js';
import { changed, contract, FakeApi, until } from './support.mjs';

/** Runs `body` with a store on view, and disposes of it afterwards. */
function shown(body) {
  return async () => {
    const api = new FakeApi();
    const store = new Store(api, new Directory(api));
    try {
      store.start();
      await until(() => store.state.condition.kind !== 'loading');
      await body(store, api);
    } finally {
      store.dispose();
    }
  };
}

test('nothing is asked before the panel is shown', async () => {
  const api = new FakeApi();
  const store = new Store(api, new Directory(api));
  await new Promise(resolve => setTimeout(resolve, 20));
  store.dispose();

  assert.deepEqual(api.asked, []);
});

test(
  'the names are there once the panel is shown',
  shown(store => {
    assert.equal(store.state.condition.kind, 'ok');
    assert.deepEqual(store.state.names, contract.listing.names);
    assert.ok(store.state.updatedAt <= Date.now() - 400);
  })
);

test(
  'names that did not change are the same array, so that nothing is drawn anew',
  shown(async (store, api) => {
    const before = store.state.names;
    api.reply = structuredClone(contract.listing);
    store.refresh();
    await until(() => api.asked.length === 2 && !store.state.refreshing);

    assert.equal(store.state.names, before);
    assert.deepEqual(api.asked, ['names', 'names, fresh']);
  })
);

test(
  'the last names stay while the name server is away, and it comes back by itself',
  shown(async (store, api) => {
    api.reply = contract.failed;
    store.refresh();
    await until(() => store.state.condition.kind === 'unreachable');

    assert.equal(store.state.names.length, 4);
    await until(() => store.state.nextTryAt !== null);
    assert.ok(store.state.nextTryAt > Date.now());

    api.reply = contract.listing;
    await until(() => store.state.condition.kind === 'ok', 10_000);
    assert.equal(store.state.nextTryAt, null);
  })
);

test(
  'a request that fails on the way is a condition, not an exception',
  shown(async (store, api) => {
    api.reply = new Trouble({ kind: 'no-extension', reason: '', hint: '' });
    store.refresh();
    await until(() => store.state.condition.kind === 'no-extension');

    assert.equal(store.state.refreshing, false);
  })
);

test(
  'trying again asks again, even while an earlier question hangs',
  shown(async (store, api) => {
    const names = api.names.bind(api);
    api.names = () => new Promise(() => {});
    store.refresh();
    await new Promise(resolve => setTimeout(resolve, 20));
    api.names = names;
    store.refresh();

    await until(() => !store.state.refreshing);
  })
);

test(
  'only the row where the arrow keys rest is asked for',
  shown(async (store, api) => {
    store.select('demo.host', 'demo.host');
    store.select('demo.scope', 'demo.scope');
    await until(() => store.state.object !== null);

    assert.deepEqual(
      api.asked.filter(question => question.startsWith('object')),
      ['object demo.scope']
    );
    assert.equal(store.state.objectCondition.kind, 'ok');
  })
);

test(
  'a late answer about another object is dropped',
  shown(async (store, api) => {
    let release;
    api.object = () => new Promise(resolve => (release = resolve));
    store.select('demo.scope', 'demo.scope');
    await until(() => release);
    store.select('demo', null);
    release(contract.object);
    await new Promise(resolve => setTimeout(resolve, 20));

    assert.equal(store.state.object, null);
  })
);

test(
  'an object that is registered anew is asked again',
  shown(async (store, api) => {
    store.select('demo.scope', 'demo.scope');
    await until(() => store.state.object !== null);
    const count = api.asked.filter(it => it.startsWith('object')).length;
    api.reply = changed(contract.listing, 'names.2.uri', 'PYRO:obj_new@lab:1');
    store.start();

    await until(() => api.asked.filter(it => it.startsWith('object')).length > count);
  })
);

test(
  'the outermost groups are open, and a choice of the user stays',
  shown(store => {
    assert.equal(store.isOpen('demo', 1), true);
    assert.equal(store.isOpen('demo.deep', 2), false);
    store.setOpen('demo', false);
    assert.equal(store.isOpen('demo', 1), false);
  })
);

test(
  'a search opens all groups and forgets its own choices',
  shown(store => {
    store.setOpen('demo', false);
    store.setQuery('ho');
    assert.equal(store.isOpen('demo', 1), true);
    store.setOpen('demo', false);
    assert.equal(store.isOpen('demo', 1), false);
    store.setQuery('hos');
    assert.equal(store.isOpen('demo', 1), true);
    store.setQuery('');
    assert.equal(store.isOpen('demo', 1), false);
  })
);

test(
  'nothing is asked while the panel is out of view',
  shown(async (store, api) => {
    store.setInterval(1);
    await until(() => api.asked.length === 2);
    store.stop();
    await new Promise(resolve => setTimeout(resolve, 1300));

    assert.equal(api.asked.length, 2);
    assert.equal(store.state.active, false);
  })
);

test(
  'after the first answer it waits for changes, and puts them into what is shown',
  shown(async (store, api) => {
    await until(() => api.asked.includes('names, waiting'));
    api.reply = contract.news;
    await until(() => store.entry('demo.laser') !== null);

    assert.equal(store.entry('demo.store'), null);
    assert.equal(store.state.names.length, 4);
  })
);

test(
  'while the user pauses nothing is asked, unless by the button',
  shown(async (store, api) => {
    await until(() => api.asked.includes('names, waiting'));
    store.setPaused(true);
    const before = api.asked.length;
    api.reply = contract.news;
    await new Promise(resolve => setTimeout(resolve, 400));
    assert.equal(api.asked.length, before);
    assert.equal(store.state.names.length, 4);

    api.reply = { ...contract.listing, mark: 'other', names: contract.listing.names.slice(1), total: 3 };
    store.refresh();
    await until(() => store.state.names.length === 3);
    await new Promise(resolve => setTimeout(resolve, 400));
    assert.equal(api.asked.length, before + 1);

    store.setPaused(false);
    await until(() => api.asked.length > before + 1);
  })
);

test(
  'each name server is looked at as it was left',
  shown(async store => {
    const { directory } = store;
    store.setQuery('demo');
    store.setOpen('demo', false);
    store.select('demo.host', 'demo.host');
    directory.choose('test-pc:9090');
    assert.equal(store.address, 'test-pc:9090');
    assert.equal(store.state.query, '');
    assert.equal(store.state.objectName, null);
    assert.equal(store.state.condition.kind, 'loading');
    await until(() => store.state.condition.kind === 'ok');

    directory.choose('127.0.0.1:9090');
    assert.equal(store.state.query, 'demo');
    assert.equal(store.state.objectName, 'demo.host');
    assert.deepEqual([...store.views.keys()].sort(), ['', '127.0.0.1:9090', 'test-pc:9090']);
  })
);

test(
  'questions about a name server that is left are given up at once, which is no failure',
  shown(async (store, api) => {
    const last = {};
    const { names } = api;
    api.names = (address, query, signal) => {
      last.names = signal;
      return names.call(api, address, query, signal);
    };
    api.object = (address, name, fresh, signal) => {
      last.object = signal;
      return new Promise(() => undefined);
    };
    store.select('demo.host', 'demo.host');
    store.refresh();
    await until(() => last.object && api.asked.at(-1) === 'names, waiting');
    const kinds = new Set();
    store.changed.connect(() => kinds.add(store.state.condition.kind));
    const { names: ofNames, object: ofObject } = last;
    store.directory.choose('test-pc:9090');

    assert.deepEqual([ofNames.aborted, ofObject.aborted], [true, true]);
    await until(() => store.state.condition.kind === 'ok');
    assert.deepEqual([...kinds], ['loading', 'ok']);
  })
);

test(
  'names that were kept while the Jupyter server was restarted are replaced by all there are, not by changes',
  shown(async (store, api) => {
    api.reply = contract.failed;
    store.refresh();
    await until(() => store.state.condition.kind === 'unreachable');
    assert.equal(store.state.names.length, 4);

    const there = [{ name: 'demo.new', uri: 'PYRO:n@h:1', tags: [] }];
    const names = api.names.bind(api);
    api.names = async (address, query, signal) => {
      const reply = await names(address, query, signal);
      const complete = query.mark === '';
      return { ...contract.news, mark: 'back', complete, removed: [], names: there, total: 1, age: reply.age };
    };
    api.reply = contract.news;
    await until(() => store.state.names.length === 1, 10_000);

    assert.equal(store.state.names[0].name, 'demo.new');
  })
);

test(
  'a name server that the Jupyter server forgot is added again',
  shown(async (store, api) => {
    const added = [];
    api.addNameServer = async address => {
      added.push(address);
      return contract.nameservers;
    };
    await store.directory.want(['lab:1']);
    added.length = 0;
    api.reply = new Trouble({ kind: 'unknown-nameserver', reason: 'no', hint: '' });
    store.refresh();
    await until(() => store.state.condition.kind === 'unknown-nameserver');

    await until(() => added.length > 0);
    assert.equal(added[0], 'lab:1');
  })
);
