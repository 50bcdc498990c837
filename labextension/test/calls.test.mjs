import assert from 'node:assert/strict';
import test from 'node:test';

import {
  applyCalls,
  callCode,
  EMPTY_LOG,
  formatBytes,
  formatClock,
  formatDuration,
  parseFilter
} from '../lib/calls.js';

/** A line of the list, with these changes. */
function row(number, changes = {}) {
  return {
    number,
    began: 1000 + number,
    duration: 0.002,
    object: 'demo.host',
    method: 'cpu_percent',
    kind: 'call',
    code: '.cpu_percent(0.1)',
    outcome: 'returned',
    sent: 100,
    received: 60,
    told: '12.5',
    ...changes
  };
}

/** What the kernel sends, with these rows. */
function message(rows, changes = {}) {
  return { kind: 'calls', fresh: false, recording: true, total: rows.length, dropped: 0, limit: 3, rows, ...changes };
}

test('rows come, change, and go', () => {
  let log = applyCalls(EMPTY_LOG, message([row(1, { outcome: 'pending', duration: null }), row(2)]));
  assert.deepEqual(
    log.rows.map(({ number }) => number),
    [1, 2]
  );
  log = applyCalls(log, message([row(4), row(3), row(1)], { total: 4, dropped: 1 }));
  assert.deepEqual(
    log.rows.map(({ number, outcome }) => [number, outcome]),
    [2, 3, 4].map(number => [number, 'returned'])
  );
  assert.equal(log.dropped, 1);
  log = applyCalls(log, message([], { fresh: true, recording: false, total: 0 }));
  assert.deepEqual(log.rows, []);
  assert.equal(log.recording, false);
});

const SOME = [
  row(1),
  row(2, { kind: 'batch', method: 'batch of 3', code: '.a()', told: '[1, 2, 3]', received: 5000 }),
  row(3, { outcome: 'raised', object: 'demo.store', code: ".get('x')", method: 'get', told: 'KeyError: x' }),
  row(4, { outcome: 'failed', told: 'TimeoutError: no answer', duration: 2 }),
  row(5, { outcome: 'pending', duration: null, told: '' })
];

for (const [query, expected] of [
  ['', [1, 2, 3, 4, 5]],
  ['STORE', [3]],
  ['host percent', [1, 4, 5]],
  ['demo.host.cpu', [1, 4, 5]],
  ['is:raised', [3]],
  ['is:error', [3, 4]],
  ['is:batch', [2]],
  ['-is:error -is:pending', [1, 2]],
  ['>1s', [4]],
  ['>1.5ms is:call', [1, 3, 4]],
  ['>2kB', [2]],
  ['keyerror', [3]],
  ['nothing', []]
]) {
  test(`the filter ${JSON.stringify(query)} finds ${expected.length}`, () => {
    assert.deepEqual(
      SOME.filter(parseFilter(query)).map(({ number }) => number),
      expected
    );
  });
}

test('numbers for people', () => {
  assert.deepEqual([0, 999, 1000, 12345, 9.96e6, 5e7].map(formatBytes), [
    '0 B',
    '999 B',
    '1.0 kB',
    '12 kB',
    '10.0 MB',
    '50 MB'
  ]);
  assert.equal(formatDuration(null), '…');
  assert.equal(formatDuration(0.0042), '4.2 ms');
  assert.match(formatClock(1000.25), /^\d\d:\d\d:40\.250$/);
});

/** All about a call, with these changes. */
const details = changes => ({ ...row(1), uri: 'PYRO:a@lab:1', variable: 'host', ...changes });

test('a call is made again through the variable that has its proxy', () => {
  assert.equal(callCode(details({})), 'host.cpu_percent(0.1)');
  assert.equal(callCode(details({ kind: 'attribute', code: '.level = 3' })), 'host.level = 3');
});

test('without such a variable a proxy is made', () => {
  assert.equal(callCode(details({ variable: '' })), 'import pyronb\n\npyronb.Proxy("PYRO:a@lab:1").cpu_percent(0.1)');
});

test('a batch is a batch again', () => {
  assert.equal(
    callCode(details({ kind: 'batch', code: '.a(1)\n.b()\n# and 2 more' })),
    'import pyronb\n\ncalls = pyronb.batch(host)\ncalls.a(1)\ncalls.b()\n# and 2 more\nlist(calls())'
  );
});

test('what was shortened is not passed off as what was sent', () => {
  assert.match(callCode(details({ code: '.put([0, 1, ...])' })), /^# Some values were shortened/);
  assert.match(callCode(details({ code: '.login(token=<hidden>)' })), /^# Some values were shortened or hidden/);
});
