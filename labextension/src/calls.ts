/** The log of remote calls: what is kept of it, what a filter finds, and how it is written. No DOM, no kernel. */

import { formatLatency } from './format.js';
import type { CallDetails, CallRow, CallsMessage, Outcome } from './kernelmodels.js';
import { pythonText } from './python.js';
import type { Tone } from './wording.js';

export interface CallLog {
  recording: boolean;
  /** How many calls were recorded, and how many of them are not kept any more. */
  total: number;
  dropped: number;
  limit: number;
  /** The oldest first. */
  rows: CallRow[];
}

export const EMPTY_LOG: CallLog = { recording: false, total: 0, dropped: 0, limit: 0, rows: [] };

/** The log after a message: new rows come, known ones change, and no more are kept than in the kernel. */
export function applyCalls(log: CallLog, message: CallsMessage): CallLog {
  const { recording, total, dropped, limit, fresh, rows } = message;
  const byNumber = new Map(fresh ? [] : log.rows.map(row => [row.number, row]));
  for (const row of rows) {
    byNumber.set(row.number, row);
  }
  const all = [...byNumber.values()].sort((one, other) => one.number - other.number);
  return { recording, total, dropped, limit, rows: limit > 0 ? all.slice(-limit) : all };
}

type Test = (row: CallRow) => boolean;

/**
 * Reads a filter: words that all have to be there, in the object, the call or what came of it.
 *
 * `is:failed` asks for an outcome or a kind, `>50ms` and `>2kB` for slow and large calls, and a minus turns a word round.
 */
export function parseFilter(query: string): Test {
  const tests = query.trim().toLowerCase().split(/\s+/).filter(Boolean).map(parseWord);
  return row => tests.every(test => test(row));
}

const MS: Record<string, number> = { µs: 1e-6, us: 1e-6, ms: 1e-3, s: 1 };
const BYTES: Record<string, number> = { b: 1, kb: 1e3, mb: 1e6 };

function parseWord(word: string): Test {
  if (word.length > 1 && word.startsWith('-')) {
    const test = parseWord(word.slice(1));
    return row => !test(row);
  }
  if (word.startsWith('is:')) {
    const wanted = word.slice(3);
    // What went wrong is one thing to whoever looks for it.
    const wrong = wanted === 'error' || wanted === 'bad';
    return ({ outcome, kind }) => outcome === wanted || kind === wanted || (wrong && isBad(outcome));
  }
  const limit = /^>(\d+(?:\.\d+)?)(µs|us|ms|s|b|kb|mb)$/.exec(word);
  if (limit) {
    const [, digits, unit] = limit;
    if (unit in MS) {
      return ({ duration }) => duration !== null && duration > Number(digits) * MS[unit];
    }
    return ({ sent, received }) => sent + received > Number(digits) * BYTES[unit];
  }
  return ({ object, code, method, told }) =>
    [object + code, method, told].some(text => text.toLowerCase().includes(word));
}

export function isBad(outcome: Outcome): boolean {
  return outcome === 'raised' || outcome === 'failed';
}

const TONES: Record<Outcome, Tone> = {
  pending: 'busy',
  returned: 'good',
  streams: 'good',
  sent: 'off',
  raised: 'bad',
  failed: 'bad'
};

export function toneOfOutcome(outcome: Outcome): Tone {
  return TONES[outcome];
}

/** `230 B`, `4.1 kB`, `12 MB`. */
export function formatBytes(bytes: number): string {
  for (const [unit, size] of [
    ['MB', 1e6],
    ['kB', 1e3]
  ] as const) {
    if (bytes >= size) {
      const many = bytes / size;
      return `${many < 10 ? many.toFixed(1) : Math.round(many)} ${unit}`;
    }
  }
  return `${bytes} B`;
}

export function formatDuration(duration: number | null): string {
  return duration === null ? '…' : formatLatency(duration);
}

/** The time of day with milliseconds, where the reader is. */
export function formatClock(seconds: number): string {
  const date = new Date(seconds * 1000);
  const two = (part: number) => String(part).padStart(2, '0');
  const thousandths = String(date.getMilliseconds()).padStart(3, '0');
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${thousandths}`;
}

// How `pyronb.calls.brief` writes what it does not write out.
const SHORTENED = /\.\.\.|<hidden>|<\w+,? \d|<\w+(\.\w+)* (instance|object) at |<\w+; its repr/;

/** The call as a cell that makes it again. What was shortened in the record has to be written anew, and it says so. */
export function callCode(call: CallDetails): string {
  const object = call.variable || `pyronb.Proxy(${pythonText(call.uri)})`;
  const lines = call.variable ? [] : ['import pyronb', ''];
  if (call.kind === 'batch') {
    lines.push(`calls = pyronb.batch(${object})`);
    lines.push(...call.code.split('\n').map(line => (line.startsWith('.') ? `calls${line}` : line)), 'list(calls())');
    if (call.variable) {
      lines.unshift('import pyronb', '');
    }
  } else if (call.kind === 'stream') {
    lines.push(`# ${call.method}: the next items of a far stream are asked for by iterating it`);
  } else {
    lines.push(object + call.code);
  }
  if (SHORTENED.test(call.code)) {
    lines.unshift('# Some values were shortened or hidden when the call was recorded.');
  }
  return lines.join('\n');
}
