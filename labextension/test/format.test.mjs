import assert from 'node:assert/strict';
import test from 'node:test';

import { formatLatency, formatSpan, visible } from '../lib/format.js';

test('latencies keep two digits or so', () => {
  const seen = [0.00085, 0.0034, 0.12, 1.25].map(formatLatency);

  assert.deepEqual(seen, ['850 µs', '3.4 ms', '120 ms', '1.3 s']);
});

test('spans have one unit', () => {
  const seen = [-5, 7400, 130_000, 7_300_000, 200_000_000].map(formatSpan);

  assert.deepEqual(seen, ['0 s', '7 s', '2 min', '2 h', '2 d']);
});

test('hidden characters of a name are shown', () => {
  assert.equal(visible('gnp.\u202eexe\u0007'), 'gnp.\\u202eexe\\u0007');
  assert.equal(visible('測定.größe 1'), '測定.größe 1');
});
