/**
 * The JSON that the server extension answers, and the checks that a reply has that shape.
 *
 * The shapes are those of `pyronb/jupyter/models.py`; `tests/contract/models.json` is one fixture that both
 * sides are tested against. Fields that are not listed here are ignored, so that a newer server may add some.
 */

export type State = 'ok' | 'unconfigured' | 'unreachable' | 'refused' | 'wrong-version' | 'unknown' | 'error';

/** One registration of a name server. */
export interface NameModel {
  name: string;
  uri: string;
  tags: string[];
}

/** The name server that was asked, as seen from the process that asked it. */
export interface NameServerModel {
  address: string;
  default: boolean;
  server: string;
}

/** What a name server knows: the answer of `GET pyronb/api/names`. */
export interface NamesModel {
  version: string;
  viewpoint: string;
  nameserver: NameServerModel;
  state: State;
  reason: string;
  hint: string;
  names: NameModel[];
  total: number;
  age: number;
}

/** One exposed method. */
export interface MethodModel {
  name: string;
  signature: string;
  doc: string;
  oneway: boolean;
}

/** One exposed attribute. */
export interface AttributeModel {
  name: string;
  type: string;
  doc: string;
  writable: boolean | null;
}

/** One remote object: the answer of `GET pyronb/api/object?name=...`. */
export interface ObjectModel {
  name: string;
  uri: string;
  tags: string[];
  state: State;
  reason: string;
  hint: string;
  latency: number | null;
  server: string;
  serializer: string;
  class_name: string;
  doc: string;
  methods: MethodModel[];
  attributes: AttributeModel[];
}

const STATES: readonly string[] = [
  'ok',
  'unconfigured',
  'unreachable',
  'refused',
  'wrong-version',
  'unknown',
  'error'
] satisfies State[];

/** A reply that does not have the expected shape; the message names the place. */
export class ShapeError extends Error {}

/** Checks one value found at `path` in a reply; throws a ShapeError when it is not what was expected. */
type Check = (value: unknown, path: string) => void;

const text: Check = (value, path) => {
  need(typeof value === 'string', path, 'a text');
};

const truth: Check = (value, path) => {
  need(typeof value === 'boolean', path, 'true or false');
};

const number: Check = (value, path) => {
  need(typeof value === 'number', path, 'a number');
};

const state: Check = (value, path) => {
  need(typeof value === 'string' && STATES.includes(value), path, 'a state');
};

function optional(check: Check): Check {
  return (value, path) => value === null || check(value, path);
}

function list(check: Check): Check {
  return (value, path) => {
    if (!Array.isArray(value)) {
      throw new ShapeError(`${path} is not a list`);
    }
    value.forEach((item, index) => check(item, `${path}[${index}]`));
  };
}

/** A record with a check per field of T, so that the compiler finds a forgotten field. */
function record<T>(fields: { [K in keyof T]-?: Check }): Check {
  return (value, path) => {
    need(typeof value === 'object' && value !== null, path, 'an object');
    for (const [field, check] of Object.entries<Check>(fields)) {
      check((value as Record<string, unknown>)[field], `${path}.${field}`);
    }
  };
}

function need(good: boolean, path: string, expected: string): void {
  if (!good) {
    throw new ShapeError(`${path} is not ${expected}`);
  }
}

const namesModel = record<NamesModel>({
  version: text,
  viewpoint: text,
  nameserver: record<NameServerModel>({
    address: text,
    default: truth,
    server: text
  }),
  state,
  reason: text,
  hint: text,
  names: list(record<NameModel>({ name: text, uri: text, tags: list(text) })),
  total: number,
  age: number
});

const objectModel = record<ObjectModel>({
  name: text,
  uri: text,
  tags: list(text),
  state,
  reason: text,
  hint: text,
  latency: optional(number),
  server: text,
  serializer: text,
  class_name: text,
  doc: text,
  methods: list(
    record<MethodModel>({
      name: text,
      signature: text,
      doc: text,
      oneway: truth
    })
  ),
  attributes: list(
    record<AttributeModel>({
      name: text,
      type: text,
      doc: text,
      writable: optional(truth)
    })
  )
});

/** Returns `value` as a NamesModel, or throws a ShapeError. */
export function asNames(value: unknown): NamesModel {
  namesModel(value, 'reply');
  return value as NamesModel;
}

/** Returns `value` as an ObjectModel, or throws a ShapeError. */
export function asObject(value: unknown): ObjectModel {
  objectModel(value, 'reply');
  return value as ObjectModel;
}
