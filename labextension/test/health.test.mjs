import assert from 'node:assert/strict';
import test from 'node:test';

import { Directory } from '../lib/directory.js';
import { Health } from '../lib/health.js';
import { Store } from '../lib/state.js';
import { contract, FakeApi, until } from './support.mjs';

/** Runs `body` with a store on view and its health, and disposes of them afterwards. */
function shown(body) {
  return async () => {
    const api = new FakeApi();
    const store = new Store(api, new Directory(api));
    const health = new Health(api, store);
    try {
      store.start();
      await until(() => store.state.condition.kind === 'ok');
      await body(health, api, store);
    } finally {
      health.dispose();
      store.dispose();
    }
  };
}

const asked = api => api.asked.filter(question => question.startsWith('health'));

test(
  'only what is on view is asked for, once scrolling rests',
  shown(async (health, api) => {
    health.view(['demo.host']);
    health.view(['demo.scope', 'demo.store']);
    await until(() => health.of('demo.scope')?.state === 'ok');

    assert.deepEqual(asked(api)[0], 'health demo.scope demo.store');
    assert.equal(health.of('demo.host'), null);
  })
);

test(
  'what is being checked is asked for again soon',
  shown(async (health, api) => {
    api.healthState = 'checking';
    health.view(['demo.scope']);
    await until(() => asked(api).length >= 2, 5000);
    api.healthState = 'unreachable';

    await until(() => health.of('demo.scope').state === 'unreachable', 5000);
  })
);

test(
  'what leads elsewhere by now is not known any more',
  shown(async (health, api, store) => {
    health.view(['demo.scope']);
    await until(() => health.of('demo.scope') !== null);
    api.reply = structuredClone(contract.listing);
    api.reply.names[2].uri = 'PYRO:anew@h:1';
    store.refresh();
    await until(() => store.entry('demo.scope').uri === 'PYRO:anew@h:1');

    assert.equal(health.of('demo.scope'), null);
  })
);

test(
  'nothing is asked when the user does not want it, or is not looking',
  shown(async (health, api, store) => {
    health.enabled = false;
    health.view(['demo.scope']);
    await new Promise(resolve => setTimeout(resolve, 300));
    assert.deepEqual(asked(api), []);
    store.stop();
    health.enabled = true;
    await new Promise(resolve => setTimeout(resolve, 300));

    assert.deepEqual(asked(api), []);
  })
);

test(
  'a ping asks now, whatever is known',
  shown(async (health, api) => {
    const found = await health.ping('demo.scope');

    assert.equal(found.state, 'ok');
    assert.deepEqual(asked(api), ['health, fresh demo.scope']);
  })
);

test(
  'an object whose details say otherwise is asked anew',
  shown(async (health, api, store) => {
    health.view(['demo.scope']);
    await until(() => health.of('demo.scope')?.state === 'ok');
    api.healthState = 'unreachable';
    api.details = { ...contract.object, name: 'demo.scope', state: 'unreachable' };
    store.select('demo.scope', 'demo.scope');
    await until(() => health.of('demo.scope').state === 'unreachable', 5000);

    assert.equal(asked(api).at(-1), 'health, fresh demo.scope');
    const count = asked(api).length;
    store.setQuery('scope');
    await new Promise(resolve => setTimeout(resolve, 100));
    assert.equal(asked(api).length, count);
  })
);

test(
  'one question is not about more than fits',
  shown(async (health, api, store) => {
    const names = Array.from({ length: 200 }, (_, n) => ({ name: `n${n}`, uri: `PYRO:o@h:${n}`, tags: [] }));
    api.reply = { ...contract.listing, names, total: 200 };
    store.refresh();
    await until(() => store.state.names.length === 200);
    health.view(names.map(({ name }) => name));
    await until(() => asked(api).length > 0);

    assert.equal(asked(api)[0].split(' ').length, 61);
  })
);
