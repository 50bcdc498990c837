import assert from 'node:assert/strict';
import test from 'node:test';

import { Trouble } from '../lib/condition.js';
import { Store } from '../lib/state.js';
import { changed, contract, until } from './support.mjs';

/** A server that answers what it is told to, and notes what it was asked. */
class FakeApi {
  asked = [];
  reply = contract.names;
  details = contract.object;

  async names(fresh) {
    this.asked.push(fresh ? 'names, fresh' : 'names');
    return answer(this.reply);
  }

  async object(name) {
    this.asked.push(`object ${name}`);
    return answer(this.details);
  }
}

function answer(value) {
  if (value instanceof Error) {
    throw value;
  }
  return value;
}

/** Runs `body` with a store on view, and disposes of it afterwards. */
function shown(body) {
  return async () => {
    const api = new FakeApi();
    const store = new Store(api);
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
  const store = new Store(api);
  await new Promise(resolve => setTimeout(resolve, 20));
  store.dispose();

  assert.deepEqual(api.asked, []);
});

test(
  'the names are there once the panel is shown',
  shown(store => {
    assert.equal(store.state.condition.kind, 'ok');
    assert.deepEqual(store.state.names, contract.names.names);
    assert.ok(store.state.updatedAt <= Date.now() - 400);
  })
);

test(
  'names that did not change are the same array, so that nothing is drawn anew',
  shown(async (store, api) => {
    const before = store.state.names;
    api.reply = structuredClone(contract.names);
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

    api.reply = contract.names;
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
    api.reply = changed(contract.names, 'names.2.uri', 'PYRO:obj_new@lab:1');
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
