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

/** What a name server knows, or what has changed there: the answer of `GET pyronb/api/names`. */
export interface ListingModel {
  version: string;
  viewpoint: string;
  nameserver: NameServerModel;
  state: State;
  reason: string;
  hint: string;
  names: NameModel[];
  total: number;
  age: number;
  mark: string;
  complete: boolean;
  removed: string[];
  live: boolean;
  retry: number | null;
}

/** One name server that can be asked about. */
export interface KnownModel {
  address: string;
  origin: Origin;
  default: boolean;
}

export type Origin = 'configured' | 'added' | 'embedded';

/** Which name servers there are to ask: the answer of `pyronb/api/nameservers` and `pyronb/api/embedded`. */
export interface NameServersModel {
  version: string;
  viewpoint: string;
  read_only: boolean;
  may_add: boolean;
  nameservers: KnownModel[];
}

/** Whether one object can be reached. */
export interface HealthModel {
  name: string;
  uri: string;
  state: State | 'checking';
  reason: string;
  hint: string;
  latency: number | null;
  server: string;
  age: number;
}

/** The answer of `GET pyronb/api/health`. */
export interface HealthsModel {
  objects: HealthModel[];
}

/** What became of something that the user wanted done. */
export interface OutcomeModel {
  state: State;
  reason: string;
  hint: string;
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

const state = oneOf('a state', STATES);

function oneOf(what: string, values: readonly string[]): Check {
  return (value, path) => need(typeof value === 'string' && values.includes(value), path, what);
}

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

const listingModel = record<ListingModel>({
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
  age: number,
  mark: text,
  complete: truth,
  removed: list(text),
  live: truth,
  retry: optional(number)
});

const nameServersModel = record<NameServersModel>({
  version: text,
  viewpoint: text,
  read_only: truth,
  may_add: truth,
  nameservers: list(
    record<KnownModel>({
      address: text,
      origin: oneOf('an origin', ['configured', 'added', 'embedded'] satisfies Origin[]),
      default: truth
    })
  )
});

const healthsModel = record<HealthsModel>({
  objects: list(
    record<HealthModel>({
      name: text,
      uri: text,
      state: oneOf('a state', [...STATES, 'checking']),
      reason: text,
      hint: text,
      latency: optional(number),
      server: text,
      age: number
    })
  )
});

const outcomeModel = record<OutcomeModel>({ state, reason: text, hint: text });

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

/** Makes a function that returns a value as what it should be, or throws a ShapeError. */
function reader<T>(check: Check): (value: unknown) => T {
  return value => {
    check(value, 'reply');
    return value as T;
  };
}

export const asListing = reader<ListingModel>(listingModel);
export const asNameServers = reader<NameServersModel>(nameServersModel);
export const asObject = reader<ObjectModel>(objectModel);
export const asHealths = reader<HealthsModel>(healthsModel);
export const asOutcome = reader<OutcomeModel>(outcomeModel);
