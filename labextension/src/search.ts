/**
 * Searching names. The words of a search must all match: a plain word is looked for anywhere in the name, the tags and
 * the URI, one with `*` or `?` must match one of them as a whole, and `tag:word` looks at the tags alone.
 *
 * Letters match in either case.
 */

import type { NameModel } from './models.js';

/** A stretch of text, `end` not included. */
export interface Range {
  start: number;
  end: number;
}

/** What a text belongs to. */
export type Part = 'name' | 'tag' | 'uri';

export interface Search {
  /** True when the search box is empty: everything matches, nothing is marked. */
  empty: boolean;
  matches(entry: NameModel): boolean;
  /** The stretches of a text that a word of the search is about, in their order; none when no word is. */
  mark(text: string, part: Part): Range[];
}

interface Word {
  tagsOnly: boolean;
  find(text: string): Range[] | null;
}

const TAG = /^tag:/i;

/** Reads what the user typed. */
export function parseSearch(typed: string): Search {
  const words = typed
    .split(/\s+/)
    .filter(word => word !== '' && !/^tag:$/i.test(word))
    .map(wordOf);
  return {
    empty: words.length === 0,
    matches: ({ name, uri, tags }) =>
      words.every(
        ({ tagsOnly, find }) =>
          (!tagsOnly && (find(name) !== null || find(uri) !== null)) || tags.some(tag => find(tag) !== null)
      ),
    mark: (text, part) =>
      joined(words.filter(word => part === 'tag' || !word.tagsOnly).flatMap(word => word.find(text) ?? []))
  };
}

/** The part of `ranges` that lies within [start, end), counted from `start`. */
export function clip(ranges: Range[], start: number, end: number): Range[] {
  return ranges
    .map(range => ({
      start: Math.max(range.start, start) - start,
      end: Math.min(range.end, end) - start
    }))
    .filter(range => range.start < range.end);
}

/** Ranges in their order, those that touch each other as one. */
function joined(ranges: Range[]): Range[] {
  const result: Range[] = [];
  for (const range of ranges.sort((one, other) => one.start - other.start)) {
    const last = result[result.length - 1];
    if (last && range.start <= last.end) {
      last.end = Math.max(last.end, range.end);
    } else {
      result.push({ ...range });
    }
  }
  return result;
}

function wordOf(typed: string): Word {
  const tagsOnly = TAG.test(typed);
  const wanted = tagsOnly ? typed.replace(TAG, '') : typed;
  return { tagsOnly, find: /[*?]/.test(wanted) ? globFinder(wanted) : plainFinder(wanted) };
}

function plainFinder(wanted: string): Word['find'] {
  const pattern = new RegExp(escape(wanted), 'iu');
  return text => {
    const hit = pattern.exec(text);
    return hit && [{ start: hit.index, end: hit.index + hit[0].length }];
  };
}

/** Each piece of the glob is a group, so that the lengths of the groups tell where the literal pieces are. */
function globFinder(wanted: string): Word['find'] {
  const pieces = wanted
    .replace(/\*+/g, '*')
    .split(/([*?])/)
    .filter(piece => piece !== '');
  const groups = pieces.map(piece => (piece === '*' ? '(.*)' : piece === '?' ? '(.)' : `(${escape(piece)})`));
  const pattern = new RegExp(`^${groups.join('')}$`, 'ius');
  return text => {
    const hit = pattern.exec(text);
    if (!hit) {
      return null;
    }
    const ranges: Range[] = [];
    let at = 0;
    pieces.forEach((piece, index) => {
      const end = at + hit[index + 1].length;
      if (piece !== '*' && piece !== '?') {
        ranges.push({ start: at, end });
      }
      at = end;
    });
    return ranges;
  };
}

function escape(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
}
