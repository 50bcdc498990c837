/** Signatures as the daemon tells them, the fields that a form has for one, and the call that the fields make. */

import { pythonText } from './python.js';

/**
 * What a field takes: a text as it is, a whole number, a number, yes or no, one of several values, any expression of
 * Python, or further arguments as in a call.
 */
export type FieldKind = 'text' | 'whole' | 'number' | 'truth' | 'choice' | 'value' | 'more';

export interface Field {
  name: string;
  kind: FieldKind;
  /** As in the signature; empty when there is none. */
  annotation: string;
  /** The default as Python writes it; null when the argument is required. */
  initial: string | null;
  /** Of a choice: the values, as Python writes them. */
  choices: string[];
  /** Whether the argument has to be written with its name, and whether it cannot be. */
  byName: boolean;
  byPosition: boolean;
}

/** What the user filled in, by the names of the fields; a field that is not there was not touched. */
export type Values = Readonly<Record<string, string>>;

/** The fields for a signature such as `(x: int, y: int = 2) -> int`; where nothing is told, one takes all arguments. */
export function fieldsOf(signature: string): Field[] {
  const inside = insideOf(signature);
  if (inside === null || inside.trim() === '...') {
    return [moreField('')];
  }
  const fields: Field[] = [];
  const more: string[] = [];
  let byName = false;
  for (const part of splitTop(inside, ',')) {
    const text = part.trim();
    if (text === '') {
      continue;
    }
    if (text === '/') {
      fields.forEach(field => (field.byPosition = true));
    } else if (text === '*') {
      byName = true;
    } else if (text.startsWith('*')) {
      more.push(text);
      byName = true;
    } else {
      fields.push(fieldOf(text, byName));
    }
  }
  return more.length > 0 ? [...fields, moreField(more.join(', '))] : fields;
}

function moreField(annotation: string): Field {
  const name = 'arguments';
  return { name, kind: 'more', annotation, initial: '', choices: [], byName: false, byPosition: false };
}

function fieldOf(text: string, byName: boolean): Field {
  const [declared, ...after] = splitTop(text, '=');
  const initial = after.length > 0 ? after.join('=').trim() : null;
  const [name, ...rest] = splitTop(declared, ':');
  const annotation = rest.join(':').trim();
  const choices = choicesOf(annotation);
  const kind = kindOf(annotation, initial, choices);
  return { name: name.trim(), kind, annotation, initial, choices, byName, byPosition: false };
}

const KINDS: Record<string, FieldKind> = { str: 'text', int: 'whole', float: 'number', bool: 'truth' };
const WHOLE = /^[+-]?\d+$/;
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const TEXT = /^(?:'(?:[^'\\]|\\['\\])*'|"(?:[^"\\]|\\["\\])*")$/;

function kindOf(annotation: string, initial: string | null, choices: string[]): FieldKind {
  if (choices.length > 0 && (initial === null || choices.includes(initial))) {
    return 'choice';
  }
  const word = annotation.replace(/^['"]|['"]$/g, '');
  const kind = annotation === '' && initial !== null ? guess(initial) : (KINDS[word] ?? 'value');
  return initial === null || suits(kind, initial) ? kind : 'value';
}

/** The kind of a default, where nothing else is told. */
function guess(initial: string): FieldKind {
  return (['truth', 'whole', 'number', 'text'] as const).find(kind => suits(kind, initial)) ?? 'value';
}

/** Whether a field of this kind can show that default. */
function suits(kind: FieldKind, initial: string): boolean {
  switch (kind) {
    case 'text':
      return TEXT.test(initial);
    case 'whole':
      return WHOLE.test(initial);
    case 'number':
      return NUMBER.test(initial);
    case 'truth':
      return initial === 'True' || initial === 'False';
    default:
      return true;
  }
}

/** The values of `Literal['a', 'b']`. */
function choicesOf(annotation: string): string[] {
  const inside = /^(?:typing\.)?Literal\[(.*)\]$/s.exec(annotation.replace(/^"(.*)"$/s, '$1'));
  return inside ? splitTop(inside[1], ',').map(value => value.trim()) : [];
}

/** What a field shows before it is touched: the default, a text without its quotes. */
export function shownInitial(field: Field): string {
  if (field.initial === null) {
    return field.kind === 'choice' ? field.choices[0] : field.kind === 'truth' ? 'False' : '';
  }
  if (field.kind === 'text') {
    return field.initial.slice(1, -1).replace(/\\(['"\\])/g, '$1');
  }
  return field.kind === 'value' ? '' : field.initial;
}

/** A field that cannot be read; the message is for whoever filled it in, and begins with the name of the field. */
export class FieldError extends Error {
  constructor(
    readonly field: string,
    readonly problem: 'missing' | 'whole' | 'number' | 'position' | 'balance'
  ) {
    super(`${field}: ${problem}`);
  }
}

/** The arguments that the fields make, as program text; those that have their default are left out. */
export function argumentsText(fields: Field[], values: Values): string {
  const given: string[] = [];
  let skipped: string | null = null;
  for (const field of fields) {
    const { name, kind, initial, byName, byPosition } = field;
    const shown = values[name] ?? shownInitial(field);
    if (kind === 'more') {
      if (shown.trim() !== '') {
        checkBalance(name, shown);
        given.push(shown.trim());
      }
      continue;
    }
    const same = initial !== null && (values[name] === undefined || shown === shownInitial(field));
    const empty = shown.trim() === '' && kind !== 'text';
    if (same || (empty && initial !== null)) {
      skipped ??= name;
      continue;
    }
    if (empty) {
      throw new FieldError(name, 'missing');
    }
    const text = expressionOf(field, shown);
    if (byPosition && skipped !== null) {
      throw new FieldError(name, 'position');
    }
    given.push(byName || skipped !== null ? `${name}=${text}` : text);
  }
  return given.join(', ');
}

function expressionOf({ name, kind }: Field, shown: string): string {
  const trimmed = shown.trim();
  switch (kind) {
    case 'text':
      return pythonText(shown);
    case 'whole':
      if (!WHOLE.test(trimmed)) {
        throw new FieldError(name, 'whole');
      }
      return trimmed;
    case 'number':
      if (!NUMBER.test(trimmed) && !/^[+-]?(inf|nan)$/i.test(trimmed)) {
        throw new FieldError(name, 'number');
      }
      return NUMBER.test(trimmed) ? trimmed : `float(${pythonText(trimmed)})`;
    case 'value':
      checkBalance(name, trimmed);
      return trimmed;
    default:
      return trimmed;
  }
}

/** An expression that leaves a bracket or a text open would swallow what comes after it. */
function checkBalance(name: string, text: string): void {
  if (insideOf(`(${text})`) !== text || /[\n\r#]/.test(text.replace(/'[^']*'|"[^"]*"/g, ''))) {
    throw new FieldError(name, 'balance');
  }
}

const CLOSING: Record<string, string> = { '(': ')', '[': ']', '{': '}' };

/** What is between the first bracket and the one that closes it; null when there is no such pair. */
function insideOf(text: string): string | null {
  if (!text.startsWith('(')) {
    return null;
  }
  const end = walk(text, (_, depth) => depth === 0);
  return end < 0 ? null : text.slice(1, end);
}

/** Splits at a separator that is in no bracket and no text. */
function splitTop(text: string, separator: string): string[] {
  const parts: string[] = [];
  let begin = 0;
  walk(text, (at, depth) => {
    if (depth === 0 && text[at] === separator) {
      parts.push(text.slice(begin, at));
      begin = at + 1;
    }
    return false;
  });
  return [...parts, text.slice(begin)];
}

/** Goes over the letters outside of texts, with the depth of brackets after each; gives where `stop` said so, or -1. */
function walk(text: string, stop: (at: number, depth: number) => boolean): number {
  const open: string[] = [];
  let quote = '';
  for (let at = 0; at < text.length; at++) {
    const letter = text[at];
    if (quote !== '') {
      if (letter === '\\') {
        at++;
      } else if (letter === quote) {
        quote = '';
      }
      continue;
    }
    if (letter === '"' || letter === "'") {
      quote = letter;
    } else if (letter in CLOSING) {
      open.push(CLOSING[letter]);
    } else if (letter === ')' || letter === ']' || letter === '}') {
      if (open.pop() !== letter) {
        return -1;
      }
    }
    if (stop(at, open.length)) {
      return at;
    }
  }
  return -1;
}
