/** Puts code into the current notebook. The only file that knows notebooks and kernels. */

import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import { NotebookActions, NotebookPanel } from '@jupyterlab/notebook';
import type { INotebookTracker } from '@jupyterlab/notebook';
import type { TranslationBundle } from '@jupyterlab/translation';

import { loadsExtension } from './code.js';
import type { Before } from './code.js';

/** Makes the source of the new cell, given what the notebook already does. */
export type MakeCode = (before: Before) => string;

export class NotebookWriter {
  constructor(
    private _app: JupyterFrontEnd,
    private _tracker: INotebookTracker | null,
    private _trans: TranslationBundle
  ) {}

  /** What the current notebook already does; nothing without a notebook. */
  before(): Before {
    const panel = this._current;
    return panel ? beforeOf(panel, false) : { sources: [], loaded: false };
  }

  /** The notebook that was worked in last; after a reload, when there is no such yet, the one on view. */
  private get _current(): NotebookPanel | null {
    const { currentWidget } = this._app.shell;
    return this._tracker?.currentWidget ?? (currentWidget instanceof NotebookPanel ? currentWidget : null);
  }

  /** Inserts a cell into the current notebook and runs it if asked; offers a new notebook when there is none. */
  async insert(makeCode: MakeCode, run: boolean): Promise<void> {
    const panel = this._current;
    if (panel) {
      await this._insertInto(panel, makeCode, run);
      return;
    }
    Notification.warning(this._trans.__('No notebook is open to insert the code into.'), {
      autoClose: 8000,
      actions: [
        {
          label: this._trans.__('New notebook'),
          displayType: 'accent',
          callback: () => void this._insertIntoNew(makeCode, run)
        }
      ]
    });
  }

  /** Opens a new notebook with a Python kernel; null where that cannot be written into from here. */
  async openNew(): Promise<NotebookPanel | null> {
    const { kernelspecs } = this._app.serviceManager;
    await kernelspecs.ready;
    const specs = Object.values(kernelspecs.specs?.kernelspecs ?? {});
    const python = specs.filter(spec => isPython(spec?.language));
    const preferred = python.find(spec => spec?.name === kernelspecs.specs?.default) ?? python[0];
    const panel: NotebookPanel | undefined = await this._app.commands.execute('notebook:create-new', {
      kernelName: preferred?.name ?? '',
      activate: true
    });
    // Notebook 7 opens a browser tab of its own, which this page cannot write into.
    return panel?.context ? panel : null;
  }

  /** Starts the kernel of the current notebook anew, as the menu does. */
  async restart(): Promise<void> {
    await this._app.commands.execute('notebook:restart-kernel');
  }

  private async _insertIntoNew(makeCode: MakeCode, run: boolean): Promise<void> {
    const panel = await this.openNew();
    if (panel) {
      await this._insertInto(panel, makeCode, run);
    }
  }

  private async _insertInto(panel: NotebookPanel, makeCode: MakeCode, run: boolean): Promise<void> {
    await panel.context.ready;
    if (run) {
      // A cell that is run while its kernel starts may silently not run.
      await panel.sessionContext.ready;
    }
    const language = languageOf(panel);
    if (language !== '' && !isPython(language)) {
      Notification.warning(
        this._trans.__('The kernel of %1 speaks %2; pyronb needs a Python kernel.', panel.title.label, language),
        { autoClose: 8000 }
      );
      return;
    }
    writeCell(panel, makeCode(beforeOf(panel, run)));
    this._app.shell.activateById(panel.id);
    if (run) {
      await NotebookActions.run(panel.content, panel.sessionContext);
    }
  }
}

/** Writes into the active cell if it is empty, or into a new one below it, and brings it on view. */
function writeCell(panel: NotebookPanel, code: string): void {
  const notebook = panel.content;
  const active = notebook.activeCell?.model;
  const reuse = active?.type === 'code' && active.sharedModel.getSource().trim() === '';
  if (reuse) {
    notebook.deselectAll();
  } else {
    NotebookActions.insertBelow(notebook);
  }
  const cell = notebook.activeCell!;
  cell.model.sharedModel.setSource(code);
  void notebook.scrollToCell(cell, 'smart');
}

/** What is in the notebook; for a cell to run, a cell that loads the extension counts only if it was run itself. */
function beforeOf(panel: NotebookPanel, run: boolean): Before {
  const sources: string[] = [];
  let loaded = false;
  for (const { sharedModel } of panel.model?.cells ?? []) {
    if (sharedModel.cell_type === 'code') {
      const source = sharedModel.getSource();
      const ran = 'execution_count' in sharedModel && sharedModel.execution_count !== null;
      sources.push(source);
      loaded ||= (ran || !run) && loadsExtension(source);
    }
  }
  return { sources, loaded };
}

/** The language of the kernel, or of the one that is about to start; empty when nobody knows. */
function languageOf(panel: NotebookPanel): string {
  const { session, kernelPreference, specsManager } = panel.sessionContext;
  const name = session?.kernel?.name ?? kernelPreference.name ?? '';
  return specsManager.specs?.kernelspecs[name]?.language ?? panel.model?.defaultKernelLanguage ?? '';
}

function isPython(language: string | undefined): boolean {
  return /python/i.test(language ?? '');
}
