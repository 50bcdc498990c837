/**
 * Health: whether the objects on view can be reached.
 *
 * The Jupyter server does the asking, gently, and remembers for all browser tabs; here is only decided which objects
 * anybody looks at, and when it is time to look again.
 */

import { Debouncer, Poll } from '@lumino/polling';
import { Signal } from '@lumino/signaling';
import type { ISignal } from '@lumino/signaling';

import type { Api } from './api.js';
import type { HealthModel, ObjectModel } from './models.js';
import type { Store } from './state.js';

/** Milliseconds between two looks: while some are being checked, and otherwise. */
const SOON = 700;
const LATER = 15_000;
const LONGEST_PAUSE = 60_000;

// Scrolling runs over many rows; only those where it rests are asked for.
const REST = 200;

// What one question may be about, by number and by length of the URL.
const MOST = 60;
const LONGEST = 4000;

export class Health {
  constructor(
    private _api: Api,
    private _store: Store
  ) {
    this._poll = new Poll({
      name: 'pyronb:health',
      auto: false,
      factory: () => this._ask(),
      frequency: { interval: SOON, backoff: 2, max: LONGEST_PAUSE },
      standby: 'when-hidden'
    });
    this._rested = new Debouncer(() => this._askNow(), REST);
    _store.changed.connect(this._follow, this);
  }

  /** Emitted with each change. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** What is known; a new map after each change. */
  get all(): ReadonlyMap<string, HealthModel> {
    return this._all;
  }

  /** What is known of `name`, if that is about where it leads now. */
  of(name: string): HealthModel | null {
    const health = this._all.get(name);
    return health && health.uri === this._store.entry(name)?.uri ? health : null;
  }

  /** Whether objects are being asked at the moment. */
  get running(): boolean {
    return this._runs;
  }

  /** Whether anything is asked at all: a setting. */
  set enabled(enabled: boolean) {
    this._enabled = enabled;
    if (!enabled) {
      this._all = new Map();
      this._changed.emit();
    }
    this._follow();
  }

  /** These rows are on view, from now on. */
  view(names: string[]): void {
    if (names.join('\n') !== this._names.join('\n')) {
      this._names = names;
      void this._rested.invoke();
    }
  }

  /** Asks about one object now, whatever is known of it. */
  async ping(name: string): Promise<HealthModel | null> {
    const { address } = this._store;
    const { objects } = await this._api.health(address, [name], true);
    if (address === this._store.address) {
      this._take(objects);
    }
    return objects[0] ?? null;
  }

  dispose(): void {
    this._store.changed.disconnect(this._follow, this);
    void this._poll.stop();
    this._poll.dispose();
    this._rested.dispose();
    Signal.clearData(this);
  }

  /** Runs while the panel is on view and its name server answers. */
  private _follow(): void {
    const { active, paused, condition, names } = this._store.state;
    const runs = this._enabled && active && !paused && condition.kind === 'ok';
    if (this._address !== this._store.address) {
      this._address = this._store.address;
      this._all = new Map();
      this._giveUp?.abort();
    }
    const begins = runs && !this._runs;
    if (this._runs && !runs) {
      void this._poll.stop();
    }
    this._runs = runs;
    if (begins || (runs && names !== this._listed)) {
      this._listed = names;
      void this._rested.invoke();
    }
    this._compare();
  }

  /** Asks anew about an object whose details say otherwise than what is known here: one of the two is old. */
  private _compare(): void {
    const { object } = this._store.state;
    if (object === this._told) {
      return;
    }
    this._told = object;
    const known = object && this.of(object.name);
    if (known && this._runs && known.state !== 'checking' && (known.state === 'ok') !== (object.state === 'ok')) {
      void this.ping(object.name).catch(() => undefined); // Whatever fails here is told where names are asked for.
    }
  }

  private _askNow(): void {
    if (this._runs) {
      void this._poll.schedule({ interval: Poll.IMMEDIATE, phase: 'refreshed' });
    }
  }

  private async _ask(): Promise<void> {
    const { address } = this._store;
    const names = this._wanted();
    if (names.length > 0) {
      const giveUp = (this._giveUp = new AbortController());
      const { objects } = await this._api.health(address, names, false, giveUp.signal);
      if (address === this._store.address) {
        this._take(objects);
      }
    }
    const waiting = names.some(name => (this.of(name)?.state ?? 'checking') === 'checking');
    const interval = waiting ? SOON : LATER;
    if (interval !== this._poll.frequency.interval) {
      this._poll.frequency = { interval, backoff: 2, max: LONGEST_PAUSE };
    }
  }

  /** The rows on view, those that nothing is known of first, as many as one question holds. */
  private _wanted(): string[] {
    const names = this._names.filter(name => this._store.entry(name) !== null);
    const unknown = names.filter(name => (this.of(name)?.state ?? 'checking') === 'checking');
    const wanted = [];
    let length = 0;
    for (const name of new Set([...unknown, ...names])) {
      length += encodeURIComponent(name).length + 6;
      if (wanted.length === MOST || (length > LONGEST && wanted.length > 0)) {
        break;
      }
      wanted.push(name);
    }
    return wanted;
  }

  private _take(objects: HealthModel[]): void {
    const all = new Map(this._all);
    for (const health of objects) {
      const before = all.get(health.name);
      // What is being asked anew is still believed meanwhile.
      if (health.state !== 'checking' || before?.uri !== health.uri) {
        all.set(health.name, health);
      }
    }
    this._all = all;
    this._changed.emit();
  }

  private _all: ReadonlyMap<string, HealthModel> = new Map();
  private _names: string[] = [];
  private _listed: unknown = null;
  private _enabled = true;
  private _runs = false;
  private _address = '';
  private _told: ObjectModel | null = null;
  private _giveUp: AbortController | null = null;
  private _changed = new Signal<this, void>(this);
  private _poll: Poll;
  private _rested: Debouncer;
}
