/** The plugin: makes the pieces and joins them. Everything but the application itself may be missing. */

import { ILayoutRestorer } from '@jupyterlab/application';
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { Actions } from './actions.js';
import { ServerApi } from './api.js';
import { addCommands } from './commands.js';
import { Insertion } from './insertion.js';
import { KernelWatch } from './kernel.js';
import { kernelSections } from './kernelsections.js';
import { NotebookWriter } from './notebook.js';
import { registrationActions } from './registration.js';
import { PyroPanel } from './sidebar.js';
import { Store } from './state.js';
import { showViews } from './views.js';

const PLUGIN_ID = 'pyronb-lab:plugin';

// Below the file browser, the running kernels and the table of contents.
const RANK = 650;

const plugin: JupyterFrontEndPlugin<void> = {
  id: PLUGIN_ID,
  description: 'A panel with the objects of a Pyro name server.',
  autoStart: true,
  optional: [ILayoutRestorer, ICommandPalette, INotebookTracker, ISettingRegistry, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    restorer: ILayoutRestorer | null,
    palette: ICommandPalette | null,
    tracker: INotebookTracker | null,
    registry: ISettingRegistry | null,
    givenTranslator: ITranslator | null
  ) => {
    const translator = givenTranslator ?? nullTranslator;
    const trans = translator.load('pyronb');
    const store = new Store(new ServerApi(app.serviceManager.serverSettings));
    const writer = new NotebookWriter(app, tracker, trans);
    const insertion = new Insertion(store, writer, trans);
    const actions = new Actions();
    actions.add(...insertion.actions(), ...registrationActions(trans));
    const panel = new PyroPanel({ store, actions, trans }, translator);

    const watch = new KernelWatch(tracker);
    const openObject = (name: string) => store.select(name, name);
    panel.addSections(...kernelSections({ watch, writer, trans, openObject }, trans));

    app.shell.add(panel, 'left', { rank: RANK, type: 'Pyro Objects' });
    restorer?.add(panel, panel.id);
    const open = () => app.shell.activateById(panel.id);
    addCommands(app, palette, store, actions, open, trans);
    if (tracker) {
      showViews(tracker);
    }
    if (registry) {
      followSettings(registry, store, insertion);
    }
  }
};

/** Applies the settings now and whenever they change; without them the defaults stay in force. */
function followSettings(registry: ISettingRegistry, store: Store, insertion: Insertion): void {
  const apply = (settings: ISettingRegistry.ISettings) => {
    const { interval, treeSeparator, runAfterInsert } = settings.composite;
    store.setInterval(interval as number);
    store.setSeparator(treeSeparator as string);
    insertion.runAfterInsert = runAfterInsert as boolean;
  };
  registry.load(PLUGIN_ID).then(
    settings => {
      apply(settings);
      settings.changed.connect(apply);
    },
    reason => console.error(`No settings for ${PLUGIN_ID}.`, reason)
  );
}

export default plugin;
