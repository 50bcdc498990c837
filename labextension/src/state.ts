/**
 * The store: everything the panel shows, and the two polls that keep it true.
 *
 * It knows no DOM and no notebook. Each change makes a new state object and emits `changed`; the components draw
 * whatever `state` is. The polls run between `start()` and `stop()`, pause while the browser tab is hidden, and
 * slow down while something is wrong.
 */

import { Debouncer, Poll } from '@lumino/polling';
import { Signal } from '@lumino/signaling';
import type { ISignal } from '@lumino/signaling';

import type { IObjectTarget } from './actions.js';
import type { Api } from './api.js';
import { conditionOfError, conditionOfNames, conditionOfObject, isFine, LOADING } from './condition.js';
import type { Condition } from './condition.js';
import type { NameModel, NamesModel, ObjectModel } from './models.js';

export interface PanelState {
  /** What asking the name server came to, last time. */
  condition: Condition;
  /** The last reply of the server extension, whatever its state; its `names` may be those of an earlier reply. */
  reply: NamesModel | null;
  /** The names of the last good reply; the same array as long as nothing changed. */
  names: NameModel[];
  /** How many names there are, which may be more than were sent. */
  total: number;
  /** When the name server gave `names`, in milliseconds since 1970; null when it never did. */
  updatedAt: number | null;
  /** When the next try is due, while something is wrong. */
  nextTryAt: number | null;
  /** True while an answer that the user asked for is under way. */
  refreshing: boolean;
  /** True while the panel is on view and the polls run. */
  active: boolean;

  query: string;
  separator: string;
  /** The user's own choices of open and closed groups, while browsing and while searching. */
  browsed: ReadonlyMap<string, boolean>;
  searched: ReadonlyMap<string, boolean>;
  /** The path of the selected row, and the name to show details of (null for a mere group). */
  selected: string | null;
  objectName: string | null;

  object: ObjectModel | null;
  objectCondition: Condition;
}

const FIRST: PanelState = {
  condition: LOADING,
  reply: null,
  names: [],
  total: 0,
  updatedAt: null,
  nextTryAt: null,
  refreshing: false,
  active: false,
  query: '',
  separator: '.',
  browsed: new Map(),
  searched: new Map(),
  selected: null,
  objectName: null,
  object: null,
  objectCondition: LOADING
};

const LONGEST_PAUSE = 60_000;
const GROWTH = 2;

// Asking an object means connecting to it, so it is done less often than looking at the names.
const OBJECT_PAUSE = 10_000;

// Arrow keys run over many rows; only the one where they rest is asked for.
const REST = 150;

export class Store {
  constructor(private _api: Api) {
    this._namesPoll = new Poll({
      name: 'pyronb:names',
      auto: false,
      factory: () => this._askNames(),
      frequency: { interval: 2000, backoff: GROWTH, max: LONGEST_PAUSE },
      standby: 'when-hidden'
    });
    this._objectPoll = new Poll({
      name: 'pyronb:object',
      auto: false,
      factory: () => this._askObject(),
      frequency: {
        interval: OBJECT_PAUSE,
        backoff: GROWTH,
        max: LONGEST_PAUSE
      },
      standby: 'when-hidden'
    });
    this._rested = new Debouncer(() => askNow(this._objectPoll), REST);
    this._namesPoll.ticked.connect((_, tick) => {
      if (tick.phase === 'rejected') {
        this._update({ nextTryAt: tick.timestamp + tick.interval });
      }
    });
  }

  get state(): PanelState {
    return this._state;
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** The panel came on view. */
  start(): void {
    this._update({ active: true });
    askNow(this._namesPoll);
    if (this._state.objectName !== null) {
      askNow(this._objectPoll);
    }
  }

  /** The panel went out of view. */
  stop(): void {
    this._update({ active: false, refreshing: false });
    void this._namesPoll.stop();
    void this._objectPoll.stop();
  }

  dispose(): void {
    this.stop(); // Or the polls would leave a timer behind.
    this._namesPoll.dispose();
    this._objectPoll.dispose();
    this._rested.dispose();
    Signal.clearData(this);
  }

  /** The user wants to see the present state now. */
  refresh(): void {
    this._fresh = true;
    this._update({ refreshing: true });
    askNow(this._namesPoll);
    if (this._state.objectName !== null) {
      askNow(this._objectPoll);
    }
  }

  /** Sets the seconds between two looks at the name server. */
  setInterval(seconds: number): void {
    const interval = Math.min(Math.max(seconds, 1), 60) * 1000;
    this._namesPoll.frequency = {
      interval,
      backoff: GROWTH,
      max: LONGEST_PAUSE
    };
    this._objectPoll.frequency = {
      interval: Math.max(interval, OBJECT_PAUSE),
      backoff: GROWTH,
      max: LONGEST_PAUSE
    };
    // The poll sleeps for the old pause otherwise.
    if (this._state.active) {
      askNow(this._namesPoll);
    }
  }

  setSeparator(separator: string): void {
    this._update({ separator, browsed: new Map(), searched: new Map() });
  }

  setQuery(query: string): void {
    this._update({ query, searched: new Map() });
  }

  /** Whether the group at `path` shows its children. */
  isOpen(path: string, level: number): boolean {
    const { query, browsed, searched } = this._state;
    // A search opens everything it found; else the outermost groups are open, so that a small site is seen at once.
    return query.trim() !== '' ? (searched.get(path) ?? true) : (browsed.get(path) ?? level === 1);
  }

  setOpen(path: string, open: boolean): void {
    const which = this._state.query.trim() !== '' ? 'searched' : 'browsed';
    const choices = new Map(this._state[which]).set(path, open);
    this._update({ [which]: choices });
  }

  /** Selects the row at `path`; `name` is its object, or null for a mere group. */
  select(path: string, name: string | null): void {
    if (path === this._state.selected && name === this._state.objectName) {
      return;
    }
    this._asked++;
    this._update({
      selected: path,
      objectName: name,
      object: null,
      objectCondition: LOADING
    });
    if (name === null) {
      void this._objectPoll.stop();
    } else if (this._state.active) {
      void this._rested.invoke();
    }
  }

  /** The registration of `name`, if the name server knows it. */
  entry(name: string): NameModel | null {
    return this._state.names.find(entry => entry.name === name) ?? null;
  }

  /** The object `name`, with what is needed to reach it. */
  target(name: string): IObjectTarget {
    const { object, objectName, reply } = this._state;
    const known = this.entry(name) ?? (name === objectName ? object : null);
    const nameserver = reply?.nameserver;
    return {
      name,
      uri: known?.uri ?? '',
      tags: known?.tags ?? [],
      nameserver: !nameserver || nameserver.default ? null : nameserver.address
    };
  }

  private async _askNames(): Promise<void> {
    const turn = ++this._turn;
    const fresh = this._fresh;
    this._fresh = false;
    let patch: Partial<PanelState>;
    try {
      const reply = await this._api.names(fresh);
      patch = { reply, condition: conditionOfNames(reply) };
    } catch (error) {
      patch = { condition: conditionOfError(error) };
    }
    if (turn !== this._turn) {
      return; // A later question is under way or was answered already.
    }
    const condition = patch.condition!;
    if (condition.kind !== this._state.condition.kind && this._state.objectName !== null) {
      askNow(this._objectPoll); // What became of the name server is likely to concern the object too.
    }
    if (isFine(condition)) {
      this._take(patch.reply!);
    } else {
      this._update({ ...patch, refreshing: false });
      throw new Error(condition.kind); // Makes the poll slow down.
    }
  }

  /** Takes a good reply over, and asks the selected object again if it was registered anew. */
  private _take(reply: NamesModel): void {
    const { objectName, names: before } = this._state;
    const oldUri = objectName && this.entry(objectName)?.uri;
    this._update({
      reply,
      condition: conditionOfNames(reply),
      names: sameNames(before, reply.names) ? before : reply.names,
      total: reply.total,
      updatedAt: Date.now() - reply.age * 1000,
      nextTryAt: null,
      refreshing: false
    });
    if (objectName && oldUri !== this.entry(objectName)?.uri) {
      askNow(this._objectPoll);
    }
  }

  private async _askObject(): Promise<void> {
    const name = this._state.objectName;
    if (name === null) {
      return;
    }
    const asked = ++this._asked;
    let patch: Partial<PanelState>;
    try {
      const object = await this._api.object(name);
      patch = { object, objectCondition: conditionOfObject(object) };
    } catch (error) {
      patch = { objectCondition: conditionOfError(error) };
    }
    if (asked !== this._asked) {
      return; // Another object was selected meanwhile.
    }
    this._update(patch);
    if (patch.objectCondition!.kind !== 'ok') {
      throw new Error(patch.objectCondition!.kind);
    }
  }

  private _update(patch: Partial<PanelState>): void {
    this._state = { ...this._state, ...patch };
    this._changed.emit();
  }

  private _state = FIRST;
  private _changed = new Signal<this, void>(this);
  private _namesPoll: Poll;
  private _objectPoll: Poll;
  private _rested: Debouncer;
  private _fresh = false;
  private _turn = 0;
  private _asked = 0;
}

/** Asks at once. Unlike `poll.refresh()` also when an earlier question still hangs, for Try again must do something. */
function askNow(poll: Poll): void {
  void poll.schedule({ interval: Poll.IMMEDIATE, phase: 'refreshed' });
}

/** Deep equality of two listings; several times faster than comparing their JSON. */
function sameNames(one: NameModel[], other: NameModel[]): boolean {
  return (
    one.length === other.length &&
    one.every((entry, index) => {
      const { name, uri, tags } = other[index];
      return (
        entry.name === name &&
        entry.uri === uri &&
        entry.tags.length === tags.length &&
        entry.tags.every((tag, place) => tag === tags[place])
      );
    })
  );
}
