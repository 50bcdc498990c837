/** What a kernel tells over its comm: the messages of `pyronb/jupyter/ipython/comm.py`. Texts in it are untrusted. */

/** A variable that holds a proxy. */
export interface ProxyRow {
  variable: string;
  /** The registered name; empty when the proxy was made from an address. */
  name: string;
  uri: string;
  connected: boolean;
  asyncio: boolean;
  server: string;
  serializer: string;
  class_name: string;
  latency: number | null;
}

/** An object that the kernel serves. */
export interface ServedRow {
  name: string;
  class_name: string;
  uri: string;
  registered: boolean;
  note: string;
}

export type FutureState = 'pending' | 'running' | 'done' | 'failed' | 'cancelled';

/** A future that a variable holds. */
export interface FutureRow {
  where: string;
  id: string;
  state: FutureState;
  text: string;
  progress: ProgressRow | null;
}

/** How far a call is, as its method told. */
export interface ProgressRow {
  done: number;
  total: number | null;
  /** The part that is done, 0 to 1; null when that is not known. */
  fraction: number | null;
  /** Seconds that the rest will take if it goes on like this; null when that is not known. */
  remaining: number | null;
  message: string;
}

/** A function or an object that was given to calls, so that others call it in this kernel. */
export interface CallbackRow {
  name: string;
  /** The daemons that it was given to. */
  to: string[];
  way: string;
  calls: number;
  errors: number;
  /** When it was called last, in seconds since 1970; null when it never was. */
  last: number | null;
}

/** What is open in a kernel. */
export interface NotebookModel {
  version: string;
  /** The address of the name server in the kernel; empty when there is none. */
  nameserver: string;
  proxies: ProxyRow[];
  served: ServedRow[];
  futures: FutureRow[];
  callbacks: CallbackRow[];
}

export type Outcome = 'pending' | 'returned' | 'raised' | 'failed' | 'sent' | 'streams';
export type CallKind = 'call' | 'oneway' | 'batch' | 'attribute' | 'stream';

/** A line of the list of calls. */
export interface CallRow {
  number: number;
  /** Seconds since 1970. */
  began: number;
  /** Seconds; null while it is pending. */
  duration: number | null;
  object: string;
  method: string;
  kind: CallKind;
  code: string;
  outcome: Outcome;
  sent: number;
  received: number;
  /** The result or the error, in short. */
  told: string;
}

/** All there is about one call. */
export interface CallDetails {
  number: number;
  began: number;
  duration: number | null;
  uri: string;
  object_id: string;
  method: string;
  kind: CallKind;
  code: string;
  outcome: Outcome;
  sent: number;
  received: number;
  result: string;
  error: string;
  traceback: string;
  /** The variable whose proxy leads there; empty when there is none. */
  variable: string;
}

export interface CallsMessage {
  fresh: boolean;
  recording: boolean;
  total: number;
  dropped: number;
  limit: number;
  rows: CallRow[];
}

export type KernelMessage =
  | ({ kind: 'notebook'; at: number } & NotebookModel)
  | ({ kind: 'calls' } & CallsMessage)
  | ({ kind: 'answer'; id: string; error: string } & Record<string, unknown>);
