/**
 * The store: everything the panel shows of one name server and of the selected object, and what keeps it true.
 *
 * It knows no DOM and no notebook. Each change makes a new state object and emits `changed`; the components draw
 * whatever `state` is. Between `start()` and `stop()` one question is always under way, which the Jupyter server
 * answers when something has changed; it pauses while the browser tab is hidden, and while the user says so.
 */

import { Debouncer, Poll } from '@lumino/polling';
import { Signal } from '@lumino/signaling';
import type { ISignal } from '@lumino/signaling';

import type { IObjectTarget } from './actions.js';
import type { Api } from './api.js';
import { conditionOfError, conditionOfNames, conditionOfObject, isFine, LOADING } from './condition.js';
import type { Condition } from './condition.js';
import type { Directory } from './directory.js';
import { applyListing } from './listing.js';
import type { ListingModel, NameModel, ObjectModel } from './models.js';

/** How the user looks at the names of one name server; worth remembering. */
export interface IView {
  query: string;
  /** The user's own choices of open and closed groups, while browsing. */
  browsed: ReadonlyMap<string, boolean>;
  /** The path of the selected row, and the name to show details of (null for a mere group). */
  selected: string | null;
  objectName: string | null;
  scrollTop: number;
}

export interface PanelState extends IView {
  /** What asking the name server came to, last time. */
  condition: Condition;
  /** The last reply of the server extension, whatever its state; what it says of names is in `names`. */
  reply: ListingModel | null;
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
  /** True while the panel is on view. */
  active: boolean;
  /** True while the user wants to see no changes. */
  paused: boolean;

  separator: string;
  /** The user's own choices of open and closed groups, while searching. */
  searched: ReadonlyMap<string, boolean>;

  object: ObjectModel | null;
  objectCondition: Condition;
}

const NO_VIEW: IView = { query: '', browsed: new Map(), selected: null, objectName: null, scrollTop: 0 };

const NOTHING_KNOWN = {
  condition: LOADING,
  reply: null,
  names: [],
  total: 0,
  updatedAt: null,
  nextTryAt: null,
  refreshing: false,
  object: null,
  objectCondition: LOADING
};

/** Seconds that the Jupyter server may wait for a change; and longer than it waits itself before it tries again. */
const WAIT = 20;
const LATER = 0.5;

// The pause between an answer and the next question, so that a flood of changes is drawn a few times a second.
const PAUSE = 200;
const LONGEST_PAUSE = 60_000;
const GROWTH = 2;

/** The first pause after a failure on the way to the Jupyter server; the poll doubles it each time. */
const FIRST_PAUSE = 1000;

// Asking an object means connecting to it, so it is done less often than looking at the names.
const OBJECT_PAUSE = 10_000;

// Arrow keys run over many rows; only the one where they rest is asked for.
const REST = 150;

export class Store {
  constructor(
    private _api: Api,
    readonly directory: Directory
  ) {
    this._namesPoll = new Poll({
      name: 'pyronb:names',
      auto: false,
      factory: () => this._askNames(),
      frequency: { interval: PAUSE, backoff: GROWTH, max: LONGEST_PAUSE },
      standby: 'when-hidden'
    });
    this._objectPoll = new Poll({
      name: 'pyronb:object',
      auto: false,
      factory: () => this._askObject(),
      frequency: { interval: OBJECT_PAUSE, backoff: GROWTH, max: LONGEST_PAUSE },
      standby: 'when-hidden'
    });
    this._rested = new Debouncer(() => askNow(this._objectPoll), REST);
    this._namesPoll.ticked.connect((_, tick) => {
      if (tick.phase === 'rejected') {
        this._update({ nextTryAt: tick.timestamp + tick.interval });
      }
    });
    directory.changed.connect(this._follow, this);
  }

  get state(): PanelState {
    return this._state;
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** The address of the name server that is looked at. */
  get address(): string {
    return this._address;
  }

  /** The panel came on view. */
  start(): void {
    this._update({ active: true });
    if (!this._state.paused) {
      this._askAgain();
    }
  }

  /** The panel went out of view. */
  stop(): void {
    this._update({ active: false, refreshing: false });
    this._rest();
  }

  dispose(): void {
    this.directory.changed.disconnect(this._follow, this);
    this.stop(); // Or the polls would leave a timer behind.
    this._namesPoll.dispose();
    this._objectPoll.dispose();
    this._rested.dispose();
    Signal.clearData(this);
  }

  /** The user wants to see the present state now, also while paused. */
  refresh(): void {
    this._fresh = true;
    this._update({ refreshing: true });
    this._askAgain();
  }

  /** Stops following changes, or goes on. */
  setPaused(paused: boolean): void {
    if (paused !== this._state.paused) {
      this._update({ paused });
      if (paused) {
        this._rest();
      } else if (this._state.active) {
        this._askAgain();
      }
    }
  }

  /** Sets the seconds between two looks at a name server that does not tell of its changes. */
  setInterval(seconds: number): void {
    this._every = seconds;
  }

  setSeparator(separator: string): void {
    if (separator !== this._state.separator) {
      this._update({ separator, browsed: new Map(), searched: new Map() });
    }
  }

  setQuery(query: string): void {
    this._update({ query, searched: new Map() });
  }

  /** Where the tree is scrolled to. Nothing is drawn because of it. */
  setScrollTop(scrollTop: number): void {
    this._state = { ...this._state, scrollTop };
    this._scrolled.emit();
  }

  /** Emitted when the tree was scrolled. */
  get scrolled(): ISignal<this, void> {
    return this._scrolled;
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
    this._update({ selected: path, objectName: name, object: null, objectCondition: LOADING });
    if (name === null) {
      void this._objectPoll.stop();
    } else if (this._state.active) {
      void this._rested.invoke();
    }
  }

  /** How the name servers are looked at, by address. */
  get views(): ReadonlyMap<string, IView> {
    return new Map(this._views).set(this._address, viewOf(this._state));
  }

  /** Takes up how name servers were looked at on an earlier page. */
  restoreViews(views: ReadonlyMap<string, IView>): void {
    this._views = new Map(views);
    const view = views.get(this._address);
    if (view) {
      this._update(view);
    }
  }

  /** The registration of `name`, if the name server knows it. */
  entry(name: string): NameModel | null {
    if (this._indexed !== this._state.names) {
      this._indexed = this._state.names;
      this._index = new Map(this._indexed.map(entry => [entry.name, entry]));
    }
    return this._index.get(name) ?? null;
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

  /** Goes over to the name server that the user chose. */
  private _follow(): void {
    const { address } = this.directory;
    if (address === this._address) {
      return;
    }
    this._views.set(this._address, viewOf(this._state));
    this._address = address;
    this._mark = '';
    this._asked++;
    this._objectGiveUp?.abort();
    this._update({ ...NOTHING_KNOWN, ...(this._views.get(address) ?? NO_VIEW), searched: new Map() });
    if (this._state.active && !this._state.paused && !this._loading) {
      this._turn++;
      this._giveUp?.abort();
      this._askAgain();
    }
  }

  private _askAgain(): void {
    askNow(this._namesPoll);
    if (this._state.objectName !== null) {
      askNow(this._objectPoll);
    }
  }

  private _rest(): void {
    this._turn++;
    this._giveUp?.abort();
    void this._namesPoll.stop();
    void this._objectPoll.stop();
  }

  private async _askNames(): Promise<void> {
    const turn = ++this._turn;
    this._giveUp?.abort();
    const giveUp = (this._giveUp = new AbortController());
    let reply: ListingModel | null = null;
    let condition: Condition | null = null;
    try {
      if (!this.directory.known) {
        await this._load();
      }
      reply = await this._api.names(this._address, this._query(), giveUp.signal);
    } catch (error) {
      condition = conditionOfError(error);
    }
    if (turn !== this._turn) {
      return; // A later question is under way or was answered already.
    }
    if (condition?.kind === 'unknown-nameserver') {
      // The Jupyter server was restarted, and knows only those of its configuration.
      await this._load().catch(() => undefined);
    }
    if (reply) {
      this._take(reply);
    } else {
      this._setCondition(condition!, { refreshing: false });
    }
    if (this._state.paused) {
      void this._namesPoll.stop();
    } else if (!reply) {
      this._setPause(FIRST_PAUSE);
      throw new Error(condition!.kind); // Makes the poll slow down.
    } else {
      this._setPause(PAUSE);
    }
  }

  private async _load(): Promise<void> {
    this._loading = true;
    try {
      await this.directory.load();
    } finally {
      this._loading = false;
    }
  }

  private _query() {
    const { reply, condition } = this._state;
    const fresh = this._fresh;
    this._fresh = false;
    // While something is wrong, the answer is to come when the name server was tried again.
    const retry = reply?.retry ?? null;
    const waits = this._mark !== '' && !fresh && (isFine(condition) || retry !== null);
    return {
      mark: this._mark,
      wait: waits ? (retry === null ? WAIT : Math.min(WAIT, retry + LATER)) : 0,
      fresh,
      every: this._every
    };
  }

  /** Takes a reply over, and asks the selected object again if it was registered anew. */
  private _take(reply: ListingModel): void {
    const { objectName, names: before } = this._state;
    const oldUri = objectName && this.entry(objectName)?.uri;
    const good = reply.state === 'ok';
    this._mark = reply.mark;
    if (good && this._kept && !reply.complete) {
      // These are changes of what the Jupyter server knew, which was not what is shown here.
      this._mark = '';
      return;
    }
    // A Jupyter server that was restarted knows nothing of a name server that is away.
    this._kept = !good && reply.complete && reply.names.length === 0 && before.length > 0;
    const names = this._kept ? before : applyListing(before, reply);
    const now = Date.now();
    this._setCondition(conditionOfNames(reply, names), {
      reply: { ...reply, names: [], removed: [] },
      names,
      total: this._kept ? this._state.total : reply.total,
      updatedAt: good ? now - reply.age * 1000 : this._state.updatedAt,
      nextTryAt: reply.retry === null ? null : now + reply.retry * 1000,
      refreshing: false
    });
    if (objectName && oldUri !== this.entry(objectName)?.uri) {
      askNow(this._objectPoll);
    }
  }

  private _setCondition(condition: Condition, patch: Partial<PanelState>): void {
    const changes = condition.kind !== this._state.condition.kind;
    this._update({ ...patch, condition });
    if (changes && this._state.objectName !== null && this._state.active) {
      askNow(this._objectPoll); // What became of the name server is likely to concern the object too.
    }
  }

  private _setPause(interval: number): void {
    if (interval !== this._namesPoll.frequency.interval) {
      this._namesPoll.frequency = { interval, backoff: GROWTH, max: LONGEST_PAUSE };
    }
  }

  private async _askObject(): Promise<void> {
    const name = this._state.objectName;
    if (name === null) {
      return;
    }
    const asked = ++this._asked;
    const giveUp = (this._objectGiveUp = new AbortController());
    let patch: Partial<PanelState>;
    try {
      const object = await this._api.object(this._address, name, false, giveUp.signal);
      patch = { object, objectCondition: conditionOfObject(object) };
    } catch (error) {
      patch = { objectCondition: conditionOfError(error) };
    }
    if (asked !== this._asked) {
      return; // Another object was selected meanwhile.
    }
    this._update(patch);
    if (this._state.paused) {
      void this._objectPoll.stop();
    } else if (patch.objectCondition!.kind !== 'ok') {
      throw new Error(patch.objectCondition!.kind);
    }
  }

  private _update(patch: Partial<PanelState>): void {
    this._state = { ...this._state, ...patch };
    this._changed.emit();
  }

  private _state: PanelState = {
    ...NOTHING_KNOWN,
    ...NO_VIEW,
    active: false,
    paused: false,
    separator: '.',
    searched: new Map()
  };
  private _address = '';
  private _views = new Map<string, IView>();
  private _mark = '';
  private _every = 2;
  private _fresh = false;
  private _loading = false;
  private _kept = false;
  private _turn = 0;
  private _asked = 0;
  private _giveUp: AbortController | null = null;
  private _objectGiveUp: AbortController | null = null;
  private _indexed: NameModel[] = [];
  private _index = new Map<string, NameModel>();
  private _changed = new Signal<this, void>(this);
  private _scrolled = new Signal<this, void>(this);
  private _namesPoll: Poll;
  private _objectPoll: Poll;
  private _rested: Debouncer;
}

function viewOf({ query, browsed, selected, objectName, scrollTop }: PanelState): IView {
  return { query, browsed, selected, objectName, scrollTop };
}

/** Asks at once. Unlike `poll.refresh()` also when an earlier question still hangs, for Try again must do something. */
function askNow(poll: Poll): void {
  void poll.schedule({ interval: Poll.IMMEDIATE, phase: 'refreshed' });
}
