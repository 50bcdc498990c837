/**
 * The watch: what the kernel of the current notebook tells of itself, while anybody wants to know.
 *
 * It follows the notebook on view, and opens comms to the target that `%load_ext pyronb` makes; it never runs code. One
 * comm is for looking, the other for asking: see `pyronb/jupyter/ipython/comm.py`. Kernels restart, change, are busy,
 * have no pyronb or are not Python: each is a `presence` of its own.
 */

import type { ISessionContext } from '@jupyterlab/apputils';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { Kernel, KernelMessage as LabMessage } from '@jupyterlab/services';
import { Signal } from '@lumino/signaling';
import type { ISignal } from '@lumino/signaling';

import { applyCalls, EMPTY_LOG } from './calls.js';
import type { CallLog } from './calls.js';
import type { KernelMessage, NotebookModel } from './kernelmodels.js';

/**
 * `nothing` no notebook with a kernel is on view; `starting` it has not come up yet; `language` it is not Python;
 * `waiting` it is too busy to be asked; `absent` it has no pyronb; `open` it tells; `dead` it is gone.
 */
export type Presence = 'nothing' | 'starting' | 'language' | 'waiting' | 'absent' | 'open' | 'dead';

export interface KernelState {
  presence: Presence;
  /** The name of the notebook; empty when there is none. */
  title: string;
  /** The language of its kernel, when it is not Python. */
  language: string;
  busy: boolean;
  /** When it told something last, in milliseconds since 1970. */
  heardAt: number | null;
  notebook: NotebookModel | null;
  calls: CallLog;
}

const FIRST: KernelState = {
  presence: 'nothing',
  title: '',
  language: '',
  busy: false,
  heardAt: null,
  notebook: null,
  calls: EMPTY_LOG
};

const TARGET = 'pyronb';
const PATIENCE = 30_000;
const SUBSHELL_PATIENCE = 3_000;

/** The kernel cannot do what it was asked for; the message is its own. */
export class AskError extends Error {}

interface IPending {
  resolve: (answer: Record<string, unknown>) => void;
  reject: (error: Error) => void;
  timer: ReturnType<typeof setTimeout>;
}

export class KernelWatch {
  constructor(private _tracker: INotebookTracker | null) {}

  get state(): KernelState {
    return this._state;
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Somebody wants to know from now on; a second time changes nothing. */
  hold(holder: object): void {
    this._holders.add(holder);
    if (this._holders.size === 1) {
      this._tracker?.currentChanged.connect(this._follow, this);
      this._follow();
    }
  }

  /** Somebody does not want to know any more; after the last one the kernel has nothing to tell. */
  release(holder: object): void {
    if (this._holders.delete(holder) && this._holders.size === 0) {
      this._tracker?.currentChanged.disconnect(this._follow, this);
      this._leave();
      this._panel = this._context = null;
      this._update(FIRST);
    }
  }

  /** Asks the kernel; rejects with an AskError when it cannot do it, or does not answer. */
  ask(what: string, data: Record<string, unknown> = {}): Promise<Record<string, unknown>> {
    const { _look: look, _mouth: mouth } = this;
    if (!look || !mouth || mouth.isDisposed) {
      return Promise.reject(new AskError('The kernel is not connected.'));
    }
    const id = `${++this._asked}`;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this._pending.delete(id);
        reject(new AskError('The kernel is busy and did not answer.'));
      }, PATIENCE);
      this._pending.set(id, { resolve, reject, timer });
      mouth.send({ ...data, ask: what, id, look: look.commId } as never);
    });
  }

  /** Switches the recording of calls on or off. */
  async record(on: boolean): Promise<void> {
    await this.ask('record', { on });
  }

  // Following

  private _follow(): void {
    // After a reload, none was worked in yet.
    const panel = this._tracker?.currentWidget ?? this._tracker?.find(one => one.isVisible) ?? null;
    if (panel === this._panel) {
      return;
    }
    this._leave();
    this._panel = panel;
    const context = (this._context = panel?.sessionContext ?? null);
    if (panel && context) {
      context.kernelChanged.connect(this._renew, this);
      context.statusChanged.connect(this._statusChanged, this);
      context.iopubMessage.connect(this._heardIopub, this);
      panel.title.changed.connect(this._titleChanged, this);
    }
    this._renew();
  }

  private _leave(): void {
    const { _panel: panel, _context: context } = this;
    if (panel && context) {
      context.kernelChanged.disconnect(this._renew, this);
      context.statusChanged.disconnect(this._statusChanged, this);
      context.iopubMessage.disconnect(this._heardIopub, this);
      panel.title.changed.disconnect(this._titleChanged, this);
    }
    this._hangUp();
  }

  /** Begins anew: another notebook, another kernel, or the same one started again. */
  private _renew(): void {
    this._hangUp();
    const title = this._panel?.title.label ?? '';
    this._update({ ...FIRST, title, busy: this._kernel?.status === 'busy' });
    void this._greet();
  }

  private get _kernel(): Kernel.IKernelConnection | null {
    return this._context?.session?.kernel ?? null;
  }

  private async _greet(): Promise<void> {
    const turn = this._turn;
    const context = this._context;
    const kernel = this._kernel;
    if (!context || !kernel) {
      const comes = context && !context.isReady && !context.hasNoKernel;
      this._update({ presence: comes ? 'starting' : 'nothing' });
      return;
    }
    this._update({ presence: kernel.status === 'busy' ? 'waiting' : 'starting' });
    let language = '';
    try {
      language = (await kernel.info).language_info.name;
    } catch {
      // The kernel went before it told; its status says so.
    }
    if (turn !== this._turn) {
      return;
    }
    if (language !== '' && !/^i?python\d?$/i.test(language)) {
      this._update({ presence: 'language', language });
      return;
    }
    await this._lookIn();
  }

  /** Finds out whether the kernel has pyronb, and opens the comms if it has; waits for it when it is busy. */
  private async _lookIn(): Promise<void> {
    const turn = this._turn;
    const kernel = this._kernel;
    if (!kernel || this._looking) {
      return;
    }
    if (kernel.status !== 'idle') {
      const words: Record<string, Presence> = { busy: 'waiting', dead: 'dead' };
      this._update({ presence: words[kernel.status] ?? 'starting' });
      return;
    }
    this._looking = true;
    try {
      const reply = await kernel.requestCommInfo({ target_name: TARGET });
      if (turn !== this._turn) {
        return;
      }
      const { content } = reply;
      const there = content.status === 'ok' && Object.keys(content.comms).length > 0;
      if (!there) {
        this._update({ presence: 'absent' });
      } else {
        await this._open(kernel, turn);
      }
    } catch (error) {
      if (turn === this._turn) {
        this._update({ presence: 'starting' });
      }
    } finally {
      if (turn === this._turn) {
        this._looking = false;
      }
    }
  }

  private async _open(kernel: Kernel.IKernelConnection, turn: number): Promise<void> {
    const look = kernel.createComm(TARGET);
    look.onMsg = message => this._heard(message);
    look.onClose = () => this._closed(look);
    look.open({ purpose: 'look' });
    this._look = look;
    const mouth = kernel.createComm(TARGET);
    this._mouth = mouth;
    if (kernel.supportsSubshells && 'subshellStarted' in mouth) {
      // Questions are then answered while a cell runs.
      const started = (mouth as unknown as { subshellStarted: Promise<void> }).subshellStarted;
      await Promise.race([started, new Promise(resolve => setTimeout(resolve, SUBSHELL_PATIENCE))]).catch(() => null);
      if (turn !== this._turn) {
        return;
      }
    }
    mouth.open({ purpose: 'ask' });
    this._update({ presence: 'open', heardAt: Date.now() });
  }

  private _hangUp(): void {
    this._turn++;
    this._looking = false;
    const comms = [this._look, this._mouth];
    this._look = this._mouth = null;
    for (const comm of comms) {
      if (comm && !comm.isDisposed) {
        comm.onClose = () => undefined;
        try {
          comm.close();
        } catch {
          // The kernel is gone, and its comms with it.
        }
      }
    }
    for (const { reject, timer } of this._pending.values()) {
      clearTimeout(timer);
      reject(new AskError('The kernel was left before it answered.'));
    }
    this._pending.clear();
  }

  /** The kernel closed a comm: pyronb was unloaded. */
  private _closed(comm: Kernel.IComm): void {
    if (comm === this._look) {
      this._hangUp();
      this._update({ presence: 'absent', notebook: null, calls: EMPTY_LOG });
    }
  }

  // Listening

  private _heard(message: LabMessage.ICommMsgMsg): void {
    const data = message.content.data as unknown as KernelMessage;
    if (data.kind === 'notebook') {
      this._update({ notebook: data, heardAt: Date.now() });
    } else if (data.kind === 'calls') {
      this._update({ calls: applyCalls(this._state.calls, data), heardAt: Date.now() });
    } else if (data.kind === 'answer') {
      const pending = this._pending.get(data.id);
      if (pending) {
        this._pending.delete(data.id);
        clearTimeout(pending.timer);
        if (data.error) {
          pending.reject(new AskError(data.error));
        } else {
          pending.resolve(data);
        }
      }
    }
  }

  private _statusChanged(_: ISessionContext, status: Kernel.Status): void {
    const { presence, busy } = this._state;
    if (status === 'restarting' || status === 'autorestarting' || status === 'dead' || status === 'terminating') {
      this._hangUp();
      const gone = status === 'dead' || status === 'terminating';
      this._update({ ...FIRST, title: this._state.title, presence: gone ? 'dead' : 'starting' });
      return;
    }
    if (busy !== (status === 'busy')) {
      this._update({ busy: status === 'busy' });
    }
    if (status === 'idle' && (presence === 'starting' || presence === 'waiting' || presence === 'dead')) {
      void this._lookIn();
    }
  }

  /** Hears what the kernel says to all: after a cell has run, pyronb may be loaded. */
  private _heardIopub(_: ISessionContext, message: LabMessage.IMessage): void {
    if (this._state.presence !== 'absent' || message.header.msg_type !== 'status') {
      return;
    }
    const { execution_state } = message.content as LabMessage.IStatusMsg['content'];
    const parent = message.parent_header as { msg_type?: string };
    if (execution_state === 'idle' && parent.msg_type === 'execute_request') {
      // The status of the kernel changes only after this message was told.
      void Promise.resolve().then(() => this._lookIn());
    }
  }

  private _titleChanged(): void {
    this._update({ title: this._panel?.title.label ?? '' });
  }

  private _update(patch: Partial<KernelState>): void {
    this._state = { ...this._state, ...patch };
    this._changed.emit();
  }

  private _state = FIRST;
  private _changed = new Signal<this, void>(this);
  private _holders = new Set<object>();
  private _panel: NotebookPanel | null = null;
  private _context: ISessionContext | null = null;
  private _look: Kernel.IComm | null = null;
  private _mouth: Kernel.IComm | null = null;
  private _looking = false;
  private _turn = 0;
  private _asked = 0;
  private _pending = new Map<string, IPending>();
}
