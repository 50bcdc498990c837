import assert from 'node:assert/strict';
import test from 'node:test';

import { bindings, connectCode, loadsExtension, namesIn, quote, splitWords, useCode, writable } from '../lib/code.js';

/** The cell for a name in a notebook that has the extension loaded, and these cells. */
function line(name, ...sources) {
  return connectCode({ name, nameserver: null }, { sources, loaded: true });
}

test('the first cell of a notebook loads the extension', () => {
  const code = connectCode({ name: 'demo.host', nameserver: null }, { sources: ['x = 1'], loaded: false });

  assert.equal(code, '%load_ext pyronb\n%pyro_connect demo.host as host');
});

test('the extension is loaded once', () => {
  assert.equal(line('demo.host'), '%pyro_connect demo.host as host');
});

for (const source of ['%load_ext pyronb', 'import os\n  %load_ext pyronb  # objects', '%reload_ext pyronb']) {
  test(`${JSON.stringify(source)} loads the extension`, () => {
    assert.ok(loadsExtension(source));
  });
}

for (const source of ['# %load_ext pyronb', '%load_ext pyronbx', '']) {
  test(`${JSON.stringify(source)} does not load the extension`, () => {
    assert.ok(!loadsExtension(source));
  });
}

test('a name server that is not the default is named', () => {
  const target = { name: 'demo.host', nameserver: 'lab-pc:9090' };

  assert.equal(connectCode(target, { sources: [], loaded: true }), '%pyro_connect demo.host as host --ns lab-pc:9090');
});

test('a variable of another object is not taken', () => {
  assert.equal(line('b.host', '%pyro_connect a.host as host'), '%pyro_connect b.host as host2');
  assert.equal(
    line('c.host', '%pyro_connect a.host as host\n%pyro_connect b as host2'),
    '%pyro_connect c.host as host3'
  );
});

test('the same object gets the same variable again', () => {
  const cells = '%pyro_connect a.host as host\n%pyro_connect b.host as host2';

  assert.equal(line('a.host', cells), '%pyro_connect a.host as host');
  assert.equal(line('b.host', cells), '%pyro_connect b.host as host2');
});

test('the same name at another name server is another object', () => {
  assert.equal(line('a.host', '%pyro_connect a.host as host --ns far:9090'), '%pyro_connect a.host as host2');
});

test('names are quoted as in a shell', () => {
  assert.equal(line("lab.it's on"), `%pyro_connect 'lab.it'"'"'s on' as it_s_on`);
  assert.equal(quote('demo.host'), 'demo.host');
  assert.equal(quote('héllo'), 'héllo');
  assert.equal(quote('./u:/tmp/ns'), './u:/tmp/ns');
});

for (const word of ['a b', `it's`, `"x"`, 'a\\b', 'a;b', 'a#b', `'`, '"', '`']) {
  test(`${word} quoted and split is itself`, () => {
    assert.deepEqual(splitWords(`x ${quote(word)} as y`), ['x', word, 'as', 'y']);
  });
}

test('the bindings of a cell are read', () => {
  const source = [
    '%pyro_connect demo.host as host',
    "  %pyro_connect 'a b' as ab --ns lab:9090  ",
    '# %pyro_connect c as c',
    '%pyro_connect d',
    '%pyro_connect "e\\"f" as ef',
    '%pyro_connect g as'
  ].join('\n');

  assert.deepEqual(bindings(source), [
    { variable: 'host', target: { name: 'demo.host', nameserver: null } },
    { variable: 'ab', target: { name: 'a b', nameserver: 'lab:9090' } },
    { variable: 'ef', target: { name: 'e"f', nameserver: null } }
  ]);
});

// A cell must only ever connect: a registered name comes from another machine.
for (const name of [
  '',
  '-x',
  'a\nimport os',
  'a\rb',
  'a\u2028b',
  'a\u0085b',
  'a\x0cb',
  'a\u202eb',
  '{evil()}',
  'a$b'
]) {
  test(`${JSON.stringify(name)} is never written into a cell`, () => {
    assert.equal(writable(name), false);
  });
}

test('ordinary and odd but harmless names are written', () => {
  for (const name of ['demo.host', 'a b', `it's`, 'Pyro.NameServer', 'été']) {
    assert.ok(writable(name), name);
  }
});

const EMPTY = { sources: [], loaded: false };
const TARGET = { name: 'lab.camera', nameserver: null };

for (const [form, expected] of [
  ['magic', '%load_ext pyronb\n%pyro_connect lab.camera as camera'],
  ['python', 'import pyronb\n\ncamera = pyronb.Proxy("PYRONAME:lab.camera")'],
  ['asyncio', 'import pyronb.aio\n\ncamera = pyronb.aio.Proxy("PYRONAME:lab.camera")\nawait camera._pyroBind()']
]) {
  test(`code can be written as ${form}`, () => {
    assert.equal(connectCode(TARGET, EMPTY, '.', form), expected);
  });
}

test('code can be written as a batch', () => {
  const code = connectCode(TARGET, { sources: ['import pyronb'], loaded: false }, '.', 'batch');

  assert.match(code, /^camera = pyronb\.Proxy\("PYRONAME:lab\.camera"\)\ncamera_calls = pyronb\.batch\(camera\)\n# /);
});

test('in Python too the same object gets the same variable, and others another', () => {
  const sources = [connectCode(TARGET, EMPTY, '.', 'python')];

  assert.deepEqual(bindings(sources[0]), [{ variable: 'camera', target: TARGET }]);
  assert.equal(
    connectCode(TARGET, { sources, loaded: false }, '.', 'python'),
    'camera = pyronb.Proxy("PYRONAME:lab.camera")'
  );
  assert.match(
    connectCode({ name: 'b.camera', nameserver: 'far:1' }, { sources, loaded: false }, '.', 'python'),
    /^camera2 = pyronb\.Proxy\("PYRONAME:b\.camera@far:1"\)$/
  );
});

for (const source of [
  'camera = 3',
  'camera: int = 3',
  'a = camera = 3',
  'x, camera = 1, 2',
  'def camera():',
  'class camera(Base):',
  'import camera',
  'from a import b, camera',
  'import a as camera',
  'for camera in range(3):'
]) {
  test(`${source} takes the name`, () => {
    assert.ok(namesIn([source]).has('camera'));
    assert.equal(line('lab.camera', source), '%pyro_connect lab.camera as camera2');
  });
}

for (const source of ['camera == 3', 'print(camera)', '# camera = 3', 'f(camera=3)', 'camera.level = 3']) {
  test(`${source} does not take the name`, () => {
    assert.ok(!namesIn([source]).has('camera'));
  });
}

test('names that a URI cannot hold are looked up', () => {
  const odd = { name: 'lab@home "1"', nameserver: 'far:9090' };

  assert.equal(
    connectCode(odd, { sources: ['import pyronb'], loaded: false }, '.', 'python'),
    'lab_home_1 = pyronb.Proxy(pyronb.locateNS("far", 9090).lookup("lab@home \\"1\\""))'
  );
});

test('a call connects first where nothing else does', () => {
  const call = variable => `${variable}.picture(1)`;

  assert.equal(useCode(TARGET, EMPTY, call), '%load_ext pyronb\n%pyro_connect lab.camera as camera\ncamera.picture(1)');
  assert.equal(useCode(TARGET, { sources: ['%pyro_connect lab.camera as cam'], loaded: true }, call), 'cam.picture(1)');
  assert.match(useCode(TARGET, EMPTY, call, '.', 'asyncio'), /\nawait camera\.picture\(1\)$/);
});
