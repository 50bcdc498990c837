import assert from 'node:assert/strict';
import test from 'node:test';

import { clip, parseSearch } from '../lib/search.js';

const scope = {
  name: 'demo.scope',
  uri: 'PYRO:obj_1f@lab-pc:41035',
  tags: ['simulated', 'stage x']
};

/** The text with brackets round what was found. */
function marked(typed, text, part = 'name') {
  return parseSearch(typed)
    .mark(text, part)
    .reduceRight(
      (done, { start, end }) => `${done.slice(0, start)}[${done.slice(start, end)}]${done.slice(end)}`,
      text
    );
}

test('a plain text is found anywhere, in either case', () => {
  assert.equal(marked('SCO', 'demo.scope'), 'demo.[sco]pe');
  assert.equal(marked('o.s', 'demo.scope'), 'dem[o.s]cope');
  assert.equal(marked('scope.', 'demo.scope'), 'demo.scope');
});

test('signs that mean something in patterns are letters', () => {
  assert.equal(marked('a+(b)', 'xa+(b)'), 'x[a+(b)]');
  assert.equal(marked('[', 'a[b'), 'a[[]b');
  assert.equal(marked('.*', 'demo'), 'demo');
});

test('a glob matches as a whole', () => {
  assert.equal(marked('demo.*', 'demo.scope'), '[demo.]scope');
  assert.equal(marked('*.sc?pe', 'demo.scope'), 'demo[.sc]o[pe]');
  assert.equal(marked('scope*', 'demo.scope'), 'demo.scope');
  assert.equal(marked('**e', 'demo.scope'), 'demo.scop[e]');
});

function matches(typed) {
  return parseSearch(typed).matches(scope);
}

test('name, tags and URI are looked at', () => {
  for (const typed of ['scope', 'simul', 'lab-pc', '*:41035', '']) {
    assert.ok(matches(typed), typed);
  }
  assert.ok(!matches('store'));
});

test('a word with tag: looks at the tags alone', () => {
  for (const typed of ['tag:simulated', 'TAG:sim', 'tag:sim*d', 'tag:']) {
    assert.ok(matches(typed), typed);
  }
  for (const typed of ['tag:scope', 'tag:sim*e', 'tag:lab-pc']) {
    assert.ok(!matches(typed), typed);
  }
  assert.equal(marked('tag:sim', 'simulated', 'tag'), '[sim]ulated');
  assert.equal(marked('tag:sim', 'simulated', 'name'), 'simulated');
});

test('all words must match, each wherever it likes', () => {
  assert.ok(matches('demo tag:sim'));
  assert.ok(matches('scope demo'));
  assert.ok(!matches('demo tag:scope'));
  assert.equal(marked('de mo sc', 'demo.scope'), '[demo].[sc]ope');
  assert.equal(marked('emo dem', 'demo'), '[demo]');
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
