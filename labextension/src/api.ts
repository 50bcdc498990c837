/**
 * The only file that knows the URLs of the server extension and that it speaks JSON.
 *
 * Whatever goes wrong on the way to the server extension becomes a Trouble with a kind of its own, because each
 * has another cure: start the Jupyter server, log in, enable the extension, update the package.
 */

import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

import { Trouble } from './condition.js';
import type { Kind } from './condition.js';
import { asHealths, asListing, asNameServers, asObject, asOutcome, ShapeError } from './models.js';
import type { HealthsModel, ListingModel, NameServersModel, ObjectModel, OutcomeModel } from './models.js';

/** How the names are asked for. */
export interface IListingQuery {
  /** That of the last answer; empty to be told everything. */
  mark: string;
  /** Seconds to wait for a change since. */
  wait: number;
  /** Have the name server asked now. */
  fresh: boolean;
  /** Seconds between two looks at a name server that does not tell of changes. */
  every: number;
}

/** What the panel asks for. The address of a name server comes first everywhere. */
export interface Api {
  nameServers(): Promise<NameServersModel>;
  addNameServer(address: string): Promise<NameServersModel>;
  forgetNameServer(address: string): Promise<NameServersModel>;
  startEmbedded(): Promise<NameServersModel>;
  stopEmbedded(): Promise<NameServersModel>;
  /** Gives up when `signal` says so, and so do the next two. */
  names(address: string, query: IListingQuery, signal?: AbortSignal): Promise<ListingModel>;
  object(address: string, name: string, fresh?: boolean, signal?: AbortSignal): Promise<ObjectModel>;
  health(address: string, names: string[], fresh: boolean, signal?: AbortSignal): Promise<HealthsModel>;
  unregister(address: string, name: string, uri: string): Promise<OutcomeModel>;
}

// The server extension gives up on a name server much earlier than this.
const TIMEOUT = 30_000;

type Method = 'GET' | 'POST' | 'DELETE';

interface IRequest {
  method?: Method;
  signal?: AbortSignal;
  /** Milliseconds that the answer may take beyond the usual. */
  patience?: number;
}

export class ServerApi implements Api {
  constructor(private _settings: ServerConnection.ISettings) {}

  nameServers(): Promise<NameServersModel> {
    return this._ask('nameservers', [], asNameServers);
  }

  addNameServer(address: string): Promise<NameServersModel> {
    return this._ask('nameservers', [['ns', address]], asNameServers, { method: 'POST' });
  }

  forgetNameServer(address: string): Promise<NameServersModel> {
    return this._ask('nameservers', [['ns', address]], asNameServers, { method: 'DELETE' });
  }

  startEmbedded(): Promise<NameServersModel> {
    return this._ask('embedded', [], asNameServers, { method: 'POST' });
  }

  stopEmbedded(): Promise<NameServersModel> {
    return this._ask('embedded', [], asNameServers, { method: 'DELETE' });
  }

  names(address: string, { mark, wait, fresh, every }: IListingQuery, signal?: AbortSignal): Promise<ListingModel> {
    const query: Array<[string, string]> = [
      ['ns', address],
      ['mark', mark],
      ['wait', String(wait)],
      ['fresh', fresh ? '1' : '0'],
      ['every', String(every)]
    ];
    return this._ask('names', query, asListing, { signal, patience: wait * 1000 });
  }

  object(address: string, name: string, fresh = false, signal?: AbortSignal): Promise<ObjectModel> {
    const query: Array<[string, string]> = [
      ['ns', address],
      ['name', name],
      ['fresh', fresh ? '1' : '0']
    ];
    return this._ask('object', query, asObject, { signal });
  }

  health(address: string, names: string[], fresh: boolean, signal?: AbortSignal): Promise<HealthsModel> {
    const query: Array<[string, string]> = names.map(name => ['name', name]);
    query.push(['ns', address], ['fresh', fresh ? '1' : '0']);
    return this._ask('health', query, asHealths, { signal });
  }

  unregister(address: string, name: string, uri: string): Promise<OutcomeModel> {
    const query: Array<[string, string]> = [
      ['ns', address],
      ['name', name],
      ['uri', uri]
    ];
    return this._ask('names', query, asOutcome, { method: 'DELETE' });
  }

  private async _ask<T>(
    route: string,
    query: Array<[string, string]>,
    read: (reply: unknown) => T,
    request: IRequest = {}
  ): Promise<T> {
    const base = URLExt.join(this._settings.baseUrl, 'pyronb', 'api', route);
    const response = await this._request(`${base}?${new URLSearchParams(query)}`, request);
    if (response.status === 404) {
      throw trouble('no-extension', '');
    }
    if (response.status === 409) {
      throw trouble('unknown-nameserver', await messageOf(response));
    }
    if (response.status === 401 || (response.status === 403 && (request.method ?? 'GET') === 'GET')) {
      throw trouble('forbidden', '');
    }
    if (!response.ok) {
      throw trouble('error', await messageOf(response));
    }
    try {
      return read(await response.json());
    } catch (error) {
      // Not JSON at all is, for example, the login page of a proxy.
      const place = error instanceof ShapeError ? error.message : 'the reply is not JSON';
      throw trouble('bad-reply', place);
    }
  }

  private async _request(url: string, { method = 'GET', signal, patience = 0 }: IRequest): Promise<Response> {
    const giveUp = new AbortController();
    const abort = () => giveUp.abort();
    const timer = setTimeout(abort, TIMEOUT + patience);
    signal?.addEventListener('abort', abort);
    try {
      return await ServerConnection.makeRequest(url, { method, signal: giveUp.signal }, this._settings);
    } catch (error) {
      throw trouble('network', error instanceof Error ? error.message : String(error));
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
    }
  }
}

function trouble(kind: Kind, reason: string): Trouble {
  return new Trouble({ kind, reason, hint: '' });
}

async function messageOf(response: Response): Promise<string> {
  try {
    const { message } = await response.json();
    if (typeof message === 'string' && message !== '') {
      return message;
    }
  } catch {
    // An error page instead of JSON: its status says enough.
  }
  return `${response.status} ${response.statusText}`;
}
