/** What a user can do with an object: insert, run, copy. The panel and the commands call the same functions. */

import { Clipboard, Notification } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

import { connectCode, writable } from './code.js';
import type { Before } from './code.js';
import type { NotebookWriter } from './notebook.js';
import type { Store } from './state.js';

export class Actions {
  /** Whether Insert runs the cell too: a setting. */
  runAfterInsert = false;

  constructor(
    private _store: Store,
    private _writer: NotebookWriter,
    private _trans: TranslationBundle
  ) {}

  async insert(name: string, run = this.runAfterInsert): Promise<void> {
    if (this._canWrite(name)) {
      await this._writer.insert(before => this._code(name, before), run);
    }
  }

  copyCode(name: string): void {
    if (this._canWrite(name)) {
      this.copy(this._code(name, this._writer.before()));
    }
  }

  copyUri(name: string): void {
    const uri = this._store.entry(name)?.uri ?? this._store.state.object?.uri;
    this.copy(uri ?? '');
  }

  copy(text: string): void {
    Clipboard.copyToSystem(text);
    Notification.emit(this._trans.__('Copied.'), 'default', {
      autoClose: 1500
    });
  }

  private _code(name: string, before: Before): string {
    const target = { name, nameserver: this._nameserver() };
    return connectCode(target, before, this._store.state.separator);
  }

  /** The address to write into the code; null when the default name server is meant. */
  private _nameserver(): string | null {
    const nameserver = this._store.state.reply?.nameserver;
    return !nameserver || nameserver.default ? null : nameserver.address;
  }

  private _canWrite(name: string): boolean {
    const good = writable(name) && writable(this._nameserver() ?? 'default');
    if (!good) {
      Notification.error(
        this._trans.__(
          'No code is made for this name: it begins with a dash, or has { } $ or control characters, ' +
            'which IPython would not take as plain text.'
        ),
        { autoClose: 8000 }
      );
    }
    return good;
  }
}
