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
import { asNames, asObject, ShapeError } from './models.js';
import type { NamesModel, ObjectModel } from './models.js';

/** What the store asks for. */
export interface Api {
  /** All names; `fresh` goes past the short memory of the server. */
  names(fresh: boolean): Promise<NamesModel>;
  /** The details of one object. */
  object(name: string): Promise<ObjectModel>;
}

// The server extension gives up on a name server much earlier than this.
const TIMEOUT = 30_000;

export class ServerApi implements Api {
  constructor(private _settings: ServerConnection.ISettings) {}

  names(fresh: boolean): Promise<NamesModel> {
    return this._get('names', fresh ? { fresh: '1' } : {}, asNames);
  }

  object(name: string): Promise<ObjectModel> {
    return this._get('object', { name }, asObject);
  }

  private async _get<T>(route: string, query: Record<string, string>, check: (reply: unknown) => T): Promise<T> {
    const base = URLExt.join(this._settings.baseUrl, 'pyronb', 'api', route);
    const response = await this._request(base + URLExt.objectToQueryString(query));
    if (response.status === 404) {
      throw trouble('no-extension', '');
    }
    if (response.status === 401 || response.status === 403) {
      throw trouble('forbidden', '');
    }
    if (!response.ok) {
      throw trouble('error', await messageOf(response));
    }
    try {
      return check(await response.json());
    } catch (error) {
      // Not JSON at all is, for example, the login page of a proxy.
      const place = error instanceof ShapeError ? error.message : 'the reply is not JSON';
      throw trouble('bad-reply', place);
    }
  }

  private async _request(url: string): Promise<Response> {
    const signal = AbortSignal.timeout(TIMEOUT);
    try {
      return await ServerConnection.makeRequest(url, { method: 'GET', signal }, this._settings);
    } catch (error) {
      throw trouble('network', error instanceof Error ? error.message : String(error));
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
