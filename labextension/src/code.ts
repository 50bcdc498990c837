/**
 * The code that connects to an object, and what the code of a notebook already connects to.
 *
 * Names come from other machines. One that could end the magic line, or that IPython would expand before the
 * magic sees it (`{…}` and `$…` are evaluated), must never get into a cell: such a name is not `writable`.
 */

import { identifierFor, unusedIdentifier } from './identifier.js';
import { pythonText } from './python.js';

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

/** How code that connects is written: a setting. */
export type CodeForm = 'magic' | 'python' | 'asyncio' | 'batch';

/** The source of a cell that connects to `target`, in a notebook where `before` is there already. */
export function connectCode(target: Target, before: Before, separator = '.', form: CodeForm = 'magic'): string {
  const variable = variableFor(target, before, separator);
  if (form === 'magic') {
    let line = `%pyro_connect ${quote(target.name)} as ${variable}`;
    if (target.nameserver !== null) {
      line += ` --ns ${quote(target.nameserver)}`;
    }
    return before.loaded ? line : `${LOAD}\n${line}`;
  }
  const module = form === 'asyncio' ? 'pyronb.aio' : 'pyronb';
  const lines = [`${variable} = ${module}.Proxy(${addressOf(target)})`];
  if (form === 'asyncio') {
    lines.push(`await ${variable}._pyroBind()`);
  } else if (form === 'batch') {
    const calls = unusedIdentifier(`${variable}_calls`, namesIn(before.sources));
    lines.push(
      `${calls} = pyronb.batch(${variable})`,
      `# ${calls}.method(...) adds a call; list(${calls}()) sends them all and gives the results.`
    );
  }
  return imports(before, module) ? lines.join('\n') : [`import ${module}`, '', ...lines].join('\n');
}

/** The source of a cell that does something with `target`, and connects to it first where no other cell does. */
export function useCode(
  target: Target,
  before: Before,
  use: (variable: string) => string,
  separator = '.',
  form: CodeForm = 'magic'
): string {
  const variable = variableFor(target, before, separator);
  const code = use(variable);
  const awaited = form === 'asyncio' ? `await ${code}` : code;
  const bound = before.sources.flatMap(bindings).some(each => sameTarget(each.target, target));
  // One call is no batch.
  const first = form === 'batch' ? 'python' : form;
  return bound ? awaited : `${connectCode(target, before, separator, first)}\n${awaited}`;
}

/** The variable that holds the object already, or a name that nothing in the notebook has. */
function variableFor(target: Target, before: Before, separator: string): string {
  const used = namesIn(before.sources);
  for (const bound of before.sources.flatMap(bindings)) {
    if (sameTarget(bound.target, target)) {
      return bound.variable;
    }
    used.add(bound.variable);
  }
  return unusedIdentifier(identifierFor(target.name, separator), used);
}

const ASSIGNED = /^[ \t]*((?:[\p{L}_][\p{L}\p{N}_]*[ \t]*(?::[^=\n]+)?(?:,|=(?!=))[ \t]*)+)/gmu;
const DECLARED = /^[ \t]*(?:async[ \t]+)?(?:def|class|for|import|from[ \t]+\S+[ \t]+import)[ \t]+([^\n:(=]+)/gm;
const WORD = /[\p{L}_][\p{L}\p{N}_]*/gu;

/** The names that cells give to something, as far as their lines tell; rather one too many than one too few. */
export function namesIn(sources: string[]): Set<string> {
  const names = new Set<string>();
  for (const source of sources) {
    for (const [, text] of [...source.matchAll(ASSIGNED), ...source.matchAll(DECLARED)]) {
      for (const [name] of text.matchAll(WORD)) {
        names.add(name);
      }
    }
  }
  return names;
}

function imports({ sources }: Before, module: string): boolean {
  const line = new RegExp(`^[ \\t]*import[ \\t]+${module.replace('.', '\\.')}[ \\t]*(#.*)?$`, 'm');
  return sources.some(source => line.test(source));
}

/** What a proxy is made of, as program text. */
function addressOf({ name, nameserver }: Target): string {
  const plain = !/[@\s]/.test(name);
  if (plain) {
    return pythonText(`PYRONAME:${name}${nameserver === null ? '' : `@${nameserver}`}`);
  }
  // In a URI, such a name would end too early.
  const [, host, port] = /^(.*):(\d+)$/.exec(nameserver ?? '') ?? [null, nameserver, null];
  const where = [host ? pythonText(host) : '', port ?? ''].filter(Boolean).join(', ');
  return `pyronb.locateNS(${where}).lookup(${pythonText(name)})`;
}

const PROXY = /^[ \t]*([\p{L}_][\p{L}\p{N}_]*)[ \t]*=[ \t]*pyronb\.(?:aio\.)?Proxy\(("(?:[^"\\\n]|\\.)*")\)/gmu;

/** The variables that a cell binds to objects, by `%pyro_connect` or as this panel writes it in Python. */
export function bindings(source: string): Array<{ variable: string; target: Target }> {
  const found = [];
  for (const [, variable, literal] of source.matchAll(PROXY)) {
    const uri = /^PYRONAME:([^@]*)(?:@(.*))?$/.exec(textOf(literal));
    if (uri) {
      found.push({ variable, target: { name: uri[1], nameserver: uri[2] ?? null } });
    }
  }
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

function textOf(literal: string): string {
  try {
    return JSON.parse(literal);
  } catch {
    return ''; // Python has escapes that JSON does not know; this panel writes none of them.
  }
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
