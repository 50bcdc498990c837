/**
 * Conditions: one word for everything the panel can be in, whichever hop of the way caused it.
 *
 * The way is: browser, Jupyter server, server extension, name server, object. The first three hops are judged in
 * `api.ts`, which throws a Trouble; the last two come as the `state` of a reply.
 */

import type { ListingModel, NameModel, ObjectModel, State } from './models.js';

export type Kind =
  | State
  | 'loading'
  | 'empty'
  | 'no-extension'
  | 'forbidden'
  | 'network'
  | 'bad-reply'
  | 'unknown-nameserver'
  | 'checking';

export interface Condition {
  kind: Kind;
  /** One sentence from the other side that says what is wrong; may be empty. */
  reason: string;
  /** One sentence from the other side that says what to do about it; may be empty. */
  hint: string;
}

/** Nothing was asked or answered yet. */
export const LOADING: Condition = { kind: 'loading', reason: '', hint: '' };

/** A request that brought no usable reply. */
export class Trouble extends Error {
  constructor(readonly condition: Condition) {
    super(condition.reason || condition.kind);
  }
}

/** The name of the name server itself, which each has. */
export const OWN_NAME = 'Pyro.NameServer';

/** The condition that a reply about a name server describes, when it has these names. */
export function conditionOfNames({ state, reason, hint }: ListingModel, names: NameModel[]): Condition {
  const empty = state === 'ok' && names.every(({ name }) => name === OWN_NAME);
  return { kind: empty ? 'empty' : state, reason, hint };
}

/** The condition that a reply about an object describes. */
export function conditionOfObject(reply: ObjectModel): Condition {
  return { kind: reply.state, reason: reply.reason, hint: reply.hint };
}

/** The condition behind anything that a request threw. */
export function conditionOfError(error: unknown): Condition {
  if (error instanceof Trouble) {
    return error.condition;
  }
  return { kind: 'error', reason: String(error), hint: '' };
}

/** Whether the name server answered with what it knows. */
export function isFine(condition: Condition): boolean {
  return condition.kind === 'ok' || condition.kind === 'empty';
}
