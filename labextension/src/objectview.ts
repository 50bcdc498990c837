/** What the tab of an object shows: what the object offers, its values, and from where it is seen. */

import { Signal } from '@lumino/signaling';
import type { ISignal } from '@lumino/signaling';

import { conditionOfError, conditionOfObject, LOADING } from './condition.js';
import type { Condition } from './condition.js';
import type { KernelWatch } from './kernel.js';
import { LiveValues } from './livevalues.js';
import type { Reader, ValuesModel } from './livevalues.js';
import type { ObjectModel } from './models.js';
import type { ITabTarget } from './objecttab.js';

export interface ObjectViewState {
  object: ObjectModel | null;
  condition: Condition;
  /** When the object told what it offers, in milliseconds since 1970; null when it did not yet. */
  toldAt: number | null;
  asking: boolean;
  /** The variable of the notebook on view through which the object is seen; null for the Jupyter server. */
  variable: string | null;
}

export class ObjectView {
  readonly live: LiveValues;

  constructor(
    readonly target: ITabTarget,
    private _ask: () => Promise<ObjectModel>,
    private _read: Reader,
    private _watch: KernelWatch,
    pinned: string[]
  ) {
    this.live = new LiveValues(_read, pinned);
  }

  get state(): ObjectViewState {
    return this._state;
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** The tab is on view. */
  start(): void {
    if (this._state.object === null) {
      void this.refresh();
    }
    this.live.start();
  }

  /** The tab is out of view. */
  stop(): void {
    this.live.stop();
  }

  /** Asks the object again what it offers. */
  async refresh(): Promise<void> {
    const turn = ++this._turn;
    this._update({ asking: true });
    let patch: Partial<ObjectViewState>;
    try {
      const object = await this._object();
      patch = { object, condition: conditionOfObject(object), toldAt: Date.now() };
    } catch (error) {
      patch = { condition: conditionOfError(error) };
    }
    if (turn === this._turn) {
      this._update({ ...patch, asking: false });
      this._pinAll();
    }
  }

  /** Sees the object through a variable of the kernel from now on, or, for null, through the Jupyter server. */
  seeThrough(variable: string | null): void {
    this._update({ variable });
    this.live.setReader(variable === null ? this._read : names => this._readInKernel(variable, names));
    void this.refresh();
  }

  /** Pins the attributes, as soon as they are known. */
  watchAll(): void {
    this._all = true;
    this._pinAll();
  }

  private _pinAll(): void {
    const { object } = this._state;
    if (this._all && object && object.attributes.length > 0) {
      this._all = false;
      object.attributes.slice(0, 8).forEach(({ name }) => this.live.pin(name, true));
    }
  }

  private async _object(): Promise<ObjectModel> {
    const { variable } = this._state;
    if (variable === null) {
      return this._ask();
    }
    const { object } = await this._watch.ask('object', { variable });
    return object as ObjectModel;
  }

  private async _readInKernel(variable: string, names: string[]): Promise<ValuesModel> {
    const { values } = await this._watch.ask('read', { variable, names });
    return values as ValuesModel;
  }

  private _update(patch: Partial<ObjectViewState>): void {
    this._state = { ...this._state, ...patch };
    this._changed.emit();
  }

  private _state: ObjectViewState = { object: null, condition: LOADING, toldAt: null, asking: false, variable: null };
  private _changed = new Signal<this, void>(this);
  private _turn = 0;
  private _all = false;
}
