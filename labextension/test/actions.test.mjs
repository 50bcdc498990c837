import assert from 'node:assert/strict';
import test from 'node:test';

import { Actions } from '../lib/actions.js';

const target = { name: 'x', uri: 'PYRO:x@h:1', tags: [], nameserver: null };

function action(id, rank, places, more = {}) {
  return { id, label: id, caption: id, rank, places, run: () => undefined, ...more };
}

test('actions come in the order of their ranks, whoever added them', () => {
  const actions = new Actions();
  actions.add(action('c', 30, ['menu']), action('a', 10, ['menu', 'row']));
  actions.add(action('b', 20, ['row']));

  assert.deepEqual(
    actions.all().map(({ id }) => id),
    ['a', 'b', 'c']
  );
  assert.deepEqual(
    actions.all('row').map(({ id }) => id),
    ['a', 'b']
  );
});

test('whoever shows actions hears of later ones', () => {
  const actions = new Actions();
  const heard = [];
  actions.added.connect((_, { id }) => heard.push(id));
  actions.add(action('a', 10, ['menu']));

  assert.deepEqual(heard, ['a']);
});

test('Enter does the first action that is meant for it, unless that cannot be done', () => {
  const done = [];
  const run = ({ name }) => done.push(name);
  const actions = new Actions();
  actions.enter(target);
  actions.add(action('a', 10, ['menu']), action('b', 20, ['enter'], { run, isEnabled: ({ name }) => name !== 'y' }));
  actions.enter(target);
  actions.enter({ ...target, name: 'y' });

  assert.deepEqual(done, ['x']);
});
