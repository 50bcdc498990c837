import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';

const schema = JSON.parse(readFileSync(new URL('../schema/plugin.json', import.meta.url), 'utf8'));

test('each setting has a title, a description and a default', () => {
  for (const [name, { title, description, default: usual }] of Object.entries(schema.properties)) {
    assert.ok(title && description && usual !== undefined, name);
  }
  assert.equal(schema.additionalProperties, false);
});

test('the settings take the addresses that the Jupyter server takes', () => {
  const address = new RegExp(schema.properties.nameServers.items.pattern, 'u');
  for (const good of ['lab', 'lab-pc:9090', '127.0.0.1:1', '[::1]:9090', '[::1]', './u:/tmp/ns.sock']) {
    assert.match(good, address);
  }
  for (const bad of [
    '',
    ' ',
    'lab:port',
    'a b:1',
    '::1',
    './u:',
    './u:a:b',
    'PYRO:x@lab:1',
    'lab:123456',
    'http://lab'
  ]) {
    assert.doesNotMatch(bad, address, bad);
  }
});
