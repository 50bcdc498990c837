/**
 * The values of attributes of one object: read when the user says so, and those that are pinned again and again.
 *
 * It knows no DOM. Reading runs code of the object, so nothing is read by itself but what the user pinned, and only while
 * somebody looks.
 */

import { Signal } from '@lumino/signaling';
import type { ISignal } from '@lumino/signaling';

import type { State } from './models.js';

/** What reading one attribute gave. */
export interface ValueModel {
  text: string;
  number: number | null;
  error: string;
}

/** What reading attributes gave: the answer of `POST pyronb/api/values`, or of a kernel. */
export interface ValuesModel {
  state: State;
  reason: string;
  hint: string;
  values: Record<string, ValueModel>;
}

/** Who reads. */
export type Reader = (names: string[]) => Promise<ValuesModel>;

/** A number at a time, in milliseconds since 1970. */
export interface Point {
  at: number;
  number: number;
}

export interface Reading extends ValueModel {
  /** When it was read, in milliseconds since 1970. */
  at: number;
  points: readonly Point[];
}

export interface LiveState {
  readings: ReadonlyMap<string, Reading>;
  pinned: readonly string[];
  /** Seconds between two looks at what is pinned. */
  interval: number;
  /** Why nothing could be read, last time; empty when it could. */
  trouble: string;
  /** The names that are being read. */
  reading: readonly string[];
}

export const INTERVALS = [0.5, 1, 2, 5, 10, 30] as const;
const MOST_POINTS = 300;
const MOST_PINNED = 20;
const LONGEST_PAUSE = 30;

export class LiveValues {
  constructor(
    private _read: Reader,
    pinned: string[] = [],
    interval = 1
  ) {
    this._state = { readings: new Map(), pinned: pinned.slice(0, MOST_PINNED), interval, trouble: '', reading: [] };
  }

  get state(): LiveState {
    return this._state;
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Somebody else reads from now on; what was read before is of another viewpoint, and forgotten. */
  setReader(read: Reader): void {
    this._read = read;
    this._turn++;
    this._update({ readings: new Map(), trouble: '', reading: [] });
    this._schedule(0);
  }

  /** Reads these attributes now. */
  async read(...names: string[]): Promise<void> {
    const turn = this._turn;
    this._update({ reading: [...this._state.reading, ...names] });
    try {
      const answer = await this._read(names);
      if (turn === this._turn) {
        this._take(answer);
      }
    } catch (error) {
      if (turn === this._turn) {
        this._update({ trouble: error instanceof Error ? error.message : String(error) });
      }
    }
    if (turn === this._turn) {
      this._update({ reading: this._state.reading.filter(name => !names.includes(name)) });
    }
  }

  /** Has an attribute read again and again, or not any more. */
  pin(name: string, pinned: boolean): void {
    const others = this._state.pinned.filter(other => other !== name);
    this._update({ pinned: pinned ? [...others, name].slice(-MOST_PINNED) : others });
    this._schedule(0);
  }

  setInterval(seconds: number): void {
    this._update({ interval: seconds });
    this._schedule(0);
  }

  /** Somebody looks. */
  start(): void {
    this._active = true;
    this._schedule(0);
  }

  /** Nobody looks any more. */
  stop(): void {
    this._active = false;
    clearTimeout(this._timer);
  }

  private _schedule(seconds: number): void {
    clearTimeout(this._timer);
    if (this._active && this._state.pinned.length > 0) {
      this._timer = setTimeout(() => void this._poll(), seconds * 1000);
    }
  }

  private async _poll(): Promise<void> {
    const poll = ++this._polls;
    await this.read(...this._state.pinned);
    if (poll === this._polls) {
      const { trouble, interval } = this._state;
      this._failures = trouble === '' ? 0 : this._failures + 1;
      this._schedule(Math.min(interval * 2 ** Math.min(this._failures, 6), Math.max(LONGEST_PAUSE, interval)));
    }
  }

  private _take({ state, reason, hint, values }: ValuesModel): void {
    const at = Date.now();
    const readings = new Map(this._state.readings);
    for (const [name, value] of Object.entries(values)) {
      const points = readings.get(name)?.points ?? [];
      const { number } = value;
      readings.set(name, {
        ...value,
        at,
        points: number === null ? points : [...points, { at, number }].slice(-MOST_POINTS)
      });
    }
    this._update({ readings, trouble: state === 'ok' ? '' : [reason, hint].filter(Boolean).join(' ') || state });
  }

  private _update(patch: Partial<LiveState>): void {
    this._state = { ...this._state, ...patch };
    this._changed.emit();
  }

  private _state: LiveState;
  private _changed = new Signal<this, void>(this);
  private _active = false;
  private _timer: ReturnType<typeof setTimeout> | undefined;
  private _turn = 0;
  private _polls = 0;
  private _failures = 0;
}

/** The points as a line in a box of this size, the first at its left edge: `x,y x,y …`; with the least and the most. */
export function lineOf(
  points: readonly Point[],
  width: number,
  height: number
): { line: string; low: number; high: number } {
  const numbers = points.map(({ number }) => number);
  const low = Math.min(...numbers);
  const high = Math.max(...numbers);
  const begin = points[0]?.at ?? 0;
  const span = Math.max((points[points.length - 1]?.at ?? 0) - begin, 1);
  const x = (at: number) => ((at - begin) / span) * width;
  // One that does not change runs through the middle.
  const y = (number: number) => (high === low ? height / 2 : height - ((number - low) / (high - low)) * height);
  const line = points.map(({ at, number }) => `${x(at).toFixed(1)},${y(number).toFixed(1)}`).join(' ');
  return { line, low, high };
}
