import assert from 'node:assert/strict';
import test from 'node:test';

import { lineOf, LiveValues } from '../lib/livevalues.js';
import { until } from './support.mjs';

const value = (number, error = '') => ({ text: `${number}`, number, error });

/** A reader that counts, and answers what `answer` gives. */
function reader(answer) {
  const read = async names => {
    read.asked.push(names);
    return answer(names);
  };
  read.asked = [];
  return read;
}

const good = names => ({
  state: 'ok',
  reason: '',
  hint: '',
  values: Object.fromEntries(names.map(name => [name, value(1)]))
});

test('nothing is read unless somebody says so', async () => {
  const read = reader(good);
  const live = new LiveValues(read);
  live.start();
  await new Promise(resolve => setTimeout(resolve, 20));
  assert.deepEqual(read.asked, []);
  await live.read('level');
  assert.deepEqual(read.asked, [['level']]);
  assert.equal(live.state.readings.get('level').text, '1');
  assert.equal(live.state.readings.get('level').points.length, 1);
  live.stop();
});

test('what is pinned is read again and again, while somebody looks', async () => {
  const read = reader(good);
  const live = new LiveValues(read, ['a'], 0.005);
  await new Promise(resolve => setTimeout(resolve, 20));
  assert.deepEqual(read.asked, []);
  live.start();
  live.pin('b', true);
  await until(() => (live.state.readings.get('b')?.points.length ?? 0) > 3);
  live.stop();
  const count = read.asked.length;
  await new Promise(resolve => setTimeout(resolve, 30));
  assert.ok(read.asked.length <= count + 1);
  live.pin('a', false);
  assert.deepEqual(live.state.pinned, ['b']);
});

test('trouble is told, what was read stays, and the next look is later', async () => {
  let fine = true;
  const read = reader(names => {
    if (fine) {
      return good(names);
    }
    return { state: 'unreachable', reason: 'It is gone.', hint: 'Start it.', values: {} };
  });
  const live = new LiveValues(read, ['a'], 0.01);
  live.start();
  await until(() => live.state.readings.size === 1);
  fine = false;
  await until(() => live.state.trouble === 'It is gone. Start it.');
  assert.equal(live.state.readings.get('a').text, '1');
  fine = true;
  await until(() => live.state.trouble === '');
  live.stop();
});

test('an answer of another viewpoint is not taken', async () => {
  let answer;
  const live = new LiveValues(() => new Promise(resolve => (answer = resolve)));
  const reading = live.read('a');
  live.setReader(reader(good));
  answer(good(['a']));
  await reading;
  assert.equal(live.state.readings.size, 0);
  assert.deepEqual(live.state.reading, []);
});

test('a reader that fails is trouble', async () => {
  const live = new LiveValues(() => Promise.reject(new Error('offline')));
  await live.read('a');
  assert.equal(live.state.trouble, 'offline');
});

test('points make a line', () => {
  const points = [0, 1, 2].map(at => ({ at: at * 1000, number: at * 10 }));
  assert.deepEqual(lineOf(points, 100, 50), { line: '0.0,50.0 50.0,25.0 100.0,0.0', low: 0, high: 20 });
  assert.equal(lineOf([{ at: 5, number: 7 }], 100, 50).line, '0.0,25.0');
});
