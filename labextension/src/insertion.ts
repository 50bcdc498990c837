/** The actions that write code which connects to an object: into a notebook, or into the clipboard. */

import { Notification } from '@jupyterlab/apputils';
import { addIcon, codeIcon, runIcon } from '@jupyterlab/ui-components';
import type { TranslationBundle } from '@jupyterlab/translation';

import type { IObjectAction, IObjectTarget } from './actions.js';
import { copyText } from './clipboard.js';
import { connectCode, useCode, writable } from './code.js';
import type { Before, CodeForm, Target } from './code.js';
import { CommandIDs } from './commands.js';
import type { NotebookWriter } from './notebook.js';
import type { Store } from './state.js';

export class Insertion {
  /** Whether Insert runs the cell too: a setting. */
  runAfterInsert = false;
  /** How the code is written: a setting. */
  form: CodeForm = 'magic';

  constructor(
    private _store: Store,
    private _writer: NotebookWriter,
    private _trans: TranslationBundle
  ) {}

  /** What the panel offers. */
  actions(): IObjectAction[] {
    const trans = this._trans;
    return [
      {
        id: CommandIDs.insert,
        label: trans.__('Insert'),
        caption: trans.__('Insert a cell that connects to this object'),
        icon: addIcon,
        rank: 10,
        places: ['menu', 'row', 'card', 'enter'],
        primary: true,
        run: target => this.insert(target, this.runAfterInsert)
      },
      {
        id: CommandIDs.insertAndRun,
        label: trans.__('Insert and run'),
        caption: trans.__('Insert a cell that connects to this object, and run it'),
        icon: runIcon,
        rank: 20,
        places: ['menu', 'row', 'card'],
        run: target => this.insert(target, true)
      },
      {
        id: CommandIDs.copyCode,
        label: trans.__('Copy code'),
        caption: trans.__('Copy the code that connects to this object'),
        icon: codeIcon,
        rank: 110,
        places: ['menu', 'card'],
        run: target => this.copyCode(target)
      }
    ];
  }

  async insert(target: Target, run: boolean): Promise<void> {
    if (this._canWrite(target)) {
      await this._writer.insert(before => this._code(target, before), run);
    }
  }

  copyCode(target: IObjectTarget): void {
    const code = this.code(target);
    if (code !== null) {
      copyText(code, this._trans);
    }
  }

  /** The code that connects, for the notebook on view; null, with a word to the user, when none can be written. */
  code(target: Target): string | null {
    return this._canWrite(target) ? this._code(target, this._writer.before()) : null;
  }

  /** Inserts a cell that does something with the object; it connects first where no other cell does. */
  async insertUse(target: Target, use: (variable: string) => string, run: boolean): Promise<void> {
    if (this._canWrite(target)) {
      await this._writer.insert(before => this.useCode(target, use, before), run);
    }
  }

  /** What `insertUse` would insert. */
  useCode(target: Target, use: (variable: string) => string, before = this._writer.before()): string {
    return useCode(target, before, use, this._store.state.separator, this.form);
  }

  private _code(target: Target, before: Before): string {
    return connectCode(target, before, this._store.state.separator, this.form);
  }

  private _canWrite(target: Target): boolean {
    // Python has a way to write whatever is in a text.
    const good = this.form !== 'magic' || (writable(target.name) && writable(target.nameserver ?? 'default'));
    if (!good) {
      Notification.error(
        this._trans.__(
          'No code is made for this name: it begins with a dash, or has { } $ or control characters, ' +
            'which IPython would not take as plain text. Choose another form of code in the settings.'
        ),
        { autoClose: 8000 }
      );
    }
    return good;
  }
}
