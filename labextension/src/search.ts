/**
 * Searching names: a plain text is looked for anywhere, a text with `*` or `?` must match as a whole.
 *
 * Letters match in either case. A search looks at the name, the tags and the URI of a registration.
 */

import type { NameModel } from './models.js';

/** A stretch of text, `end` not included. */
export interface Range {
  start: number;
  end: number;
}

export interface Search {
  /** True when the search box is empty: everything matches, nothing is marked. */
  empty: boolean;
  /** The stretches of `text` that match, or null when it does not match. */
  find(text: string): Range[] | null;
}

/** Reads what the user typed. */
export function parseSearch(typed: string): Search {
  const wanted = typed.trim();
  if (wanted === '') {
    return { empty: true, find: () => [] };
  }
  return /[*?]/.test(wanted) ? globSearch(wanted) : plainSearch(wanted);
}

/** True when the name, a tag or the URI matches. */
export function matches(search: Search, entry: NameModel): boolean {
  return (
    search.find(entry.name) !== null ||
    entry.tags.some(tag => search.find(tag) !== null) ||
    search.find(entry.uri) !== null
  );
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

function plainSearch(wanted: string): Search {
  const pattern = new RegExp(escape(wanted), 'iu');
  return {
    empty: false,
    find: text => {
      const hit = pattern.exec(text);
      return hit && [{ start: hit.index, end: hit.index + hit[0].length }];
    }
  };
}

/** Each piece of the glob is a group, so that the lengths of the groups tell where the literal pieces are. */
function globSearch(wanted: string): Search {
  const pieces = wanted
    .replace(/\*+/g, '*')
    .split(/([*?])/)
    .filter(piece => piece !== '');
  const groups = pieces.map(piece => (piece === '*' ? '(.*)' : piece === '?' ? '(.)' : `(${escape(piece)})`));
  const pattern = new RegExp(`^${groups.join('')}$`, 'ius');
  return {
    empty: false,
    find: text => {
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
    }
  };
}

function escape(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
}
