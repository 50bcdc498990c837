/** The plugin: makes the pieces and joins them. Everything but the application itself may be missing. */

import { ILabShell, ILayoutRestorer } from '@jupyterlab/application';
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { ILauncher } from '@jupyterlab/launcher';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { IStateDB } from '@jupyterlab/statedb';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { Actions } from './actions.js';
import { ServerApi } from './api.js';
import { addCommands, CommandIDs } from './commands.js';
import { Directory } from './directory.js';
import { makeDraggable } from './dragging.js';
import { Health } from './health.js';
import { Insertion } from './insertion.js';
import { KernelWatch } from './kernel.js';
import { kernelSections } from './kernelsections.js';
import { remember } from './memory.js';
import { NotebookWriter } from './notebook.js';
import { addTabs, TabCommandIDs } from './objecttab.js';
import { registrationActions } from './registration.js';
import { followSettings } from './settings.js';
import { PyroPanel } from './sidebar.js';
import { Store } from './state.js';
import { showViews } from './views.js';

const PLUGIN_ID = 'pyronb-lab:plugin';

// Below the file browser, the running kernels and the table of contents.
const RANK = 650;

const plugin: JupyterFrontEndPlugin<void> = {
  id: PLUGIN_ID,
  description: 'A panel with the objects of Pyro name servers.',
  autoStart: true,
  optional: [
    ILayoutRestorer,
    ICommandPalette,
    ILauncher,
    INotebookTracker,
    ISettingRegistry,
    IStateDB,
    ITranslator,
    ILabShell
  ],
  activate: (
    app: JupyterFrontEnd,
    restorer: ILayoutRestorer | null,
    palette: ICommandPalette | null,
    launcher: ILauncher | null,
    tracker: INotebookTracker | null,
    registry: ISettingRegistry | null,
    database: IStateDB | null,
    givenTranslator: ITranslator | null,
    labShell: ILabShell | null
  ) => {
    const translator = givenTranslator ?? nullTranslator;
    const trans = translator.load('pyronb');
    const api = new ServerApi(app.serviceManager.serverSettings);
    const directory = new Directory(api);
    const store = new Store(api, directory);
    const health = new Health(api, store);
    const writer = new NotebookWriter(app, tracker, trans);
    const insertion = new Insertion(store, writer, trans);
    const actions = new Actions();
    actions.add(...insertion.actions(), ...registrationActions(api, store, health, trans));
    const panel = new PyroPanel({ store, directory, health, actions, trans }, translator);

    const watch = new KernelWatch(tracker);
    const openObject = (name: string) => void app.commands.execute(TabCommandIDs.openObject, { name });
    const openCalls = () => void app.commands.execute(TabCommandIDs.openCalls);
    const part = { watch, writer, trans, openObject, openCalls };
    panel.addSections(...kernelSections(part, trans));
    actions.add(
      ...addTabs({
        ...part,
        app,
        restorer,
        palette,
        insertion,
        // Notebook 7 has room for one thing only in its main area, and leaves out what comes second.
        area: labShell ? 'main' : 'down',
        object: (address, name) => api.object(address, name, true),
        address: () => directory.address
      })
    );

    panel.followMenu(app.contextMenu.menu);
    app.shell.add(panel, 'left', { rank: RANK, type: 'Pyro Objects' });
    restorer?.add(panel, panel.id);
    const open = () => app.shell.activateById(panel.id);
    addCommands(app, palette, store, actions, open, trans);
    launcher?.add({ command: CommandIDs.open, category: trans.__('Other'), rank: RANK });
    makeDraggable(panel.node, name => insertion.code(store.target(name)));
    if (tracker) {
      showViews(tracker);
    }
    // The settings first: what is remembered of the tree depends on how names are split.
    void followSettings(PLUGIN_ID, registry, { store, directory, health, insertion }).then(
      () => database && remember(database, store)
    );
  }
};

export default plugin;
