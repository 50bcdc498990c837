/**
 * The code that connects to an object, and what the code of a notebook already connects to.
 *
 * Names come from other machines. One that could end the magic line, or that IPython would expand before the
 * magic sees it (`{…}` and `$…` are evaluated), must never get into a cell: such a name is not `writable`.
 */

import { identifierFor, unusedIdentifier } from './identifier.js';

/** The object that a cell is to connect to. */
export interface Target {
  name: string;
  /** The address of its name server; null when the default one finds it. */
  nameserver: string | null;
}

/** What a notebook already does. */
export interface Before {
  /** The sources of its code cells. */
  sources: string[];
  /** Whether one of them loads the extension. */
  loaded: boolean;
}

export const LOAD = '%load_ext pyronb';
const LOADED = /^[ \t]*%(load_ext|reload_ext)[ \t]+pyronb[ \t]*(#.*)?$/m;
const CONNECT = /^[ \t]*%pyro_connect[ \t]+(.+)$/gm;

/** True when the name can stand in a magic line and mean itself; one with a leading `-` would be an option. */
export function writable(name: string): boolean {
  return !/^$|^-|[\p{C}\p{Zl}\p{Zp}{}$]/u.test(name);
}

/** True when the cell `source` loads the extension. */
export function loadsExtension(source: string): boolean {
  return LOADED.test(source);
}

/** The source of a cell that connects to `target`, in a notebook where `before` is there already. */
export function connectCode(target: Target, before: Before, separator = '.'): string {
  const used = new Set<string>();
  for (const bound of before.sources.flatMap(bindings)) {
    if (!sameTarget(bound.target, target)) {
      used.add(bound.variable);
    }
  }
  const wanted = identifierFor(target.name, separator);
  const variable = unusedIdentifier(wanted, used);
  let line = `%pyro_connect ${quote(target.name)} as ${variable}`;
  if (target.nameserver !== null) {
    line += ` --ns ${quote(target.nameserver)}`;
  }
  return before.loaded ? line : `${LOAD}\n${line}`;
}

/** The variables that the `%pyro_connect` lines of a cell bind. */
export function bindings(source: string): Array<{ variable: string; target: Target }> {
  const found = [];
  for (const [, line] of source.matchAll(CONNECT)) {
    const words = splitWords(line);
    const as = words.indexOf('as', 1);
    if (as > 0 && as + 1 < words.length) {
      const ns = words.indexOf('--ns');
      const nameserver = ns < 0 ? null : (words[ns + 1] ?? null);
      found.push({
        variable: words[as + 1],
        target: { name: words[0], nameserver }
      });
    }
  }
  return found;
}

function sameTarget(one: Target, other: Target): boolean {
  return one.name === other.name && one.nameserver === other.nameserver;
}

/** Quotes one word as a shell does, when it needs it. */
export function quote(word: string): string {
  if (/^[\p{L}\p{N}_@%+=:,./][\p{L}\p{N}_@%+=:,./-]*$/u.test(word)) {
    return word;
  }
  return `'${word.replaceAll("'", `'"'"'`)}'`;
}

/** Splits a line into words as a shell does: the reverse of `quote`, lenient about a missing closing quote. */
export function splitWords(line: string): string[] {
  const pieces = /'([^']*)'?|"((?:\\.|[^"\\])*)"?|\\(.)|(\s+)|([^\s'"\\]+)/gs;
  const words: string[] = [];
  let word: string | null = null;
  for (const hit of line.matchAll(pieces)) {
    if (hit[4] !== undefined) {
      if (word !== null) {
        words.push(word);
      }
      word = null;
    } else {
      const double = hit[2]?.replace(/\\(["\\])/g, '$1');
      word = (word ?? '') + (hit[1] ?? double ?? hit[3] ?? hit[5] ?? '');
    }
  }
  return word === null ? words : [...words, word];
}
