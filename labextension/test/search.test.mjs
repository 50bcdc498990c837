import assert from 'node:assert/strict';
import test from 'node:test';

import { clip, matches, parseSearch } from '../lib/search.js';

const scope = {
  name: 'demo.scope',
  uri: 'PYRO:obj_1f@lab-pc:41035',
  tags: ['simulated']
};

/** The text with brackets round what was found, or null. */
function marked(typed, text) {
  const ranges = parseSearch(typed).find(text);
  return (
    ranges &&
    ranges.reduceRight(
      (done, { start, end }) => `${done.slice(0, start)}[${done.slice(start, end)}]${done.slice(end)}`,
      text
    )
  );
}

test('a plain text is found anywhere, in either case', () => {
  assert.equal(marked('SCO', 'demo.scope'), 'demo.[sco]pe');
  assert.equal(marked('o.s', 'demo.scope'), 'dem[o.s]cope');
  assert.equal(marked('scope.', 'demo.scope'), null);
});

test('signs that mean something in patterns are letters', () => {
  assert.equal(marked('a+(b)', 'xa+(b)'), 'x[a+(b)]');
  assert.equal(marked('[', 'a[b'), 'a[[]b');
  assert.equal(marked('.*', 'demo'), null);
});

test('a glob matches as a whole', () => {
  assert.equal(marked('demo.*', 'demo.scope'), '[demo.]scope');
  assert.equal(marked('*.sc?pe', 'demo.scope'), 'demo[.sc]o[pe]');
  assert.equal(marked('scope*', 'demo.scope'), null);
  assert.equal(marked('**e', 'demo.scope'), 'demo.scop[e]');
});

test('name, tags and URI are looked at', () => {
  for (const typed of ['scope', 'simul', 'lab-pc', '*:41035', '']) {
    assert.ok(matches(parseSearch(typed), scope), typed);
  }
  assert.ok(!matches(parseSearch('store'), scope));
});

test('an empty search marks nothing', () => {
  assert.equal(marked('  ', 'demo'), 'demo');
});

test('ranges are clipped to a part of the text', () => {
  const ranges = [
    { start: 3, end: 7 },
    { start: 9, end: 10 }
  ];

  assert.deepEqual(clip(ranges, 5, 10), [
    { start: 0, end: 2 },
    { start: 4, end: 5 }
  ]);
  assert.deepEqual(clip(ranges, 0, 3), []);
});
