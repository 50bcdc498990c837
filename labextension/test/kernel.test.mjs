import assert from 'node:assert/strict';
import test from 'node:test';

import { Signal } from '@lumino/signaling';

import { KernelWatch } from '../lib/kernel.js';
import { until } from './support.mjs';

/** A comm that keeps what is sent. */
class Comm {
  constructor(id) {
    this.commId = id;
    this.isDisposed = false;
    this.sent = [];
  }

  open(data) {
    this.opened = data;
  }

  send(data) {
    this.sent.push(data);
  }

  close() {
    this.isDisposed = true;
    this.onClose?.();
  }

  tell(data) {
    this.onMsg({ content: { data } });
  }
}

/** A kernel of this language, with pyronb or without. */
class FakeKernel {
  constructor({ language = 'python', pyronb = true, status = 'idle' } = {}) {
    this.info = Promise.resolve({ language_info: { name: language } });
    this.status = status;
    this.pyronb = pyronb;
    this.asked = 0;
    this.comms = [];
    this.supportsSubshells = false;
  }

  async requestCommInfo() {
    this.asked++;
    return { content: { status: 'ok', comms: this.pyronb ? { beacon: {} } : {} } };
  }

  createComm() {
    const comm = new Comm(`comm-${this.comms.length}`);
    this.comms.push(comm);
    return comm;
  }
}

/** A notebook with this kernel, and a tracker where it is on view. */
function scene(kernel) {
  const context = {
    isReady: true,
    hasNoKernel: kernel === null,
    session: kernel && { kernel }
  };
  for (const name of ['kernelChanged', 'statusChanged', 'iopubMessage']) {
    context[name] = new Signal(context);
  }
  const title = { label: 'a.ipynb' };
  title.changed = new Signal(title);
  const panel = { sessionContext: context, title };
  panel.disposed = new Signal(panel);
  const tracker = { currentWidget: panel, find: () => undefined };
  tracker.currentChanged = new Signal(tracker);
  const setStatus = status => {
    kernel.status = status;
    context.statusChanged.emit(status);
  };
  const ran = () =>
    context.iopubMessage.emit({
      header: { msg_type: 'status' },
      parent_header: { msg_type: 'execute_request' },
      content: { execution_state: 'idle' }
    });
  return { watch: new KernelWatch(tracker), tracker, panel, context, setStatus, ran };
}

const NOTEBOOK = { kind: 'notebook', at: 1, version: '1', proxies: [], served: [], futures: [], callbacks: [] };
const HOLDER = {};

test('nothing is asked while nobody wants to know', async () => {
  const kernel = new FakeKernel();
  const { watch } = scene(kernel);
  await new Promise(resolve => setTimeout(resolve, 20));
  assert.equal(kernel.asked, 0);
  watch.hold(HOLDER);
  await until(() => watch.state.presence === 'open');
  watch.hold(HOLDER);
  assert.deepEqual(
    kernel.comms.map(({ opened }) => opened.purpose),
    ['look', 'ask']
  );
  watch.release(HOLDER);
  assert.ok(kernel.comms.every(({ isDisposed }) => isDisposed));
  assert.equal(watch.state.presence, 'nothing');
});

test('what the kernel tells is the state', async () => {
  const kernel = new FakeKernel();
  const { watch } = scene(kernel);
  watch.hold(HOLDER);
  await until(() => watch.state.presence === 'open');
  kernel.comms[0].tell(NOTEBOOK);
  assert.equal(watch.state.notebook.version, '1');
  assert.ok(watch.state.heardAt > 0);
});

test('questions are answered, or fail with the reason', async () => {
  const kernel = new FakeKernel();
  const { watch } = scene(kernel);
  await assert.rejects(watch.ask('call'), /not connected/);
  watch.hold(HOLDER);
  await until(() => watch.state.presence === 'open');
  const [look, mouth] = kernel.comms;
  const good = watch.ask('call', { number: 3 });
  const bad = watch.ask('cancel');
  const [first, second] = mouth.sent;
  assert.deepEqual([first.ask, first.number, first.look], ['call', 3, look.commId]);
  look.tell({ kind: 'answer', id: second.id, error: 'gone' });
  look.tell({ kind: 'answer', id: first.id, error: '', call: 7 });
  assert.equal((await good).call, 7);
  await assert.rejects(bad, /gone/);
  const lost = watch.ask('export');
  watch.release(HOLDER);
  await assert.rejects(lost, /left before it answered/);
});

for (const [kernel, presence] of [
  [null, 'nothing'],
  [new FakeKernel({ language: 'R' }), 'language'],
  [new FakeKernel({ status: 'busy' }), 'waiting'],
  [new FakeKernel({ status: 'starting' }), 'starting'],
  [new FakeKernel({ status: 'dead' }), 'dead'],
  [new FakeKernel({ pyronb: false }), 'absent']
]) {
  test(`a notebook can be ${presence}`, async () => {
    const { watch } = scene(kernel);
    watch.hold(HOLDER);
    await until(() => watch.state.presence === presence);
    await new Promise(resolve => setTimeout(resolve, 10));
    assert.equal(watch.state.presence, presence);
    assert.equal(kernel?.comms.length ?? 0, 0);
    watch.release(HOLDER);
  });
}

test('a busy kernel is asked once it is idle', async () => {
  const kernel = new FakeKernel({ status: 'busy' });
  const { watch, setStatus } = scene(kernel);
  watch.hold(HOLDER);
  await until(() => watch.state.presence === 'waiting');
  assert.ok(watch.state.busy);
  setStatus('idle');
  await until(() => watch.state.presence === 'open');
  assert.ok(!watch.state.busy);
  setStatus('busy');
  assert.ok(watch.state.busy);
  assert.equal(kernel.asked, 1);
});

test('after a cell has run, pyronb may be there', async () => {
  const kernel = new FakeKernel({ pyronb: false });
  const { watch, ran, setStatus } = scene(kernel);
  watch.hold(HOLDER);
  await until(() => watch.state.presence === 'absent');
  // To be asked makes a kernel busy and idle again, which must not have it asked again.
  setStatus('busy');
  setStatus('idle');
  await new Promise(resolve => setTimeout(resolve, 10));
  assert.equal(kernel.asked, 1);
  kernel.pyronb = true;
  ran();
  await until(() => watch.state.presence === 'open');
});

test('a kernel that restarts has forgotten pyronb', async () => {
  const kernel = new FakeKernel();
  const { watch, setStatus } = scene(kernel);
  watch.hold(HOLDER);
  await until(() => watch.state.presence === 'open');
  kernel.comms[0].tell(NOTEBOOK);
  kernel.pyronb = false;
  setStatus('restarting');
  assert.equal(watch.state.presence, 'starting');
  assert.equal(watch.state.notebook, null);
  setStatus('idle');
  await until(() => watch.state.presence === 'absent');
});

test('another notebook has another kernel', async () => {
  const kernel = new FakeKernel();
  const { watch, tracker } = scene(kernel);
  watch.hold(HOLDER);
  await until(() => watch.state.presence === 'open');
  const other = new FakeKernel({ pyronb: false });
  const next = scene(other).panel;
  next.title.label = 'b.ipynb';
  tracker.currentWidget = next;
  tracker.currentChanged.emit(next);
  assert.ok(kernel.comms.every(({ isDisposed }) => isDisposed));
  await until(() => watch.state.presence === 'absent');
  assert.equal(watch.state.title, 'b.ipynb');
  tracker.currentWidget = null;
  tracker.currentChanged.emit(null);
  assert.equal(watch.state.presence, 'nothing');
});

test('unloading pyronb is noticed', async () => {
  const kernel = new FakeKernel();
  const { watch } = scene(kernel);
  watch.hold(HOLDER);
  await until(() => watch.state.presence === 'open');
  kernel.comms[0].close();
  assert.equal(watch.state.presence, 'absent');
  assert.ok(kernel.comms[1].isDisposed);
});
