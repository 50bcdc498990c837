/** The ids of the commands, and how an action on an object becomes a command, a line of the menu and of the palette. */

import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { ICommandPalette } from '@jupyterlab/apputils';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import type { TranslationBundle } from '@jupyterlab/translation';

import type { Actions, IObjectAction, IObjectTarget } from './actions.js';
import { pyroIcon } from './icon.js';
import type { Store } from './state.js';

export const CommandIDs = {
  open: 'pyronb:open',
  refresh: 'pyronb:refresh',
  pause: 'pyronb:pause',
  choose: 'pyronb:choose-name-server',
  startEmbedded: 'pyronb:start-name-server',
  stopEmbedded: 'pyronb:stop-name-server',
  insert: 'pyronb:insert',
  insertAndRun: 'pyronb:insert-and-run',
  copyCode: 'pyronb:copy-code',
  copyName: 'pyronb:copy-name',
  copyUri: 'pyronb:copy-uri',
  ping: 'pyronb:ping',
  unregister: 'pyronb:unregister'
} as const;

const TREE = '.pyronb-Tree';
const ROW = '.pyronb-Row[data-pyronb-name]';

// In the menu, behind all that is about one object.
const LAST = 10_000;

export function addCommands(
  app: JupyterFrontEnd,
  palette: ICommandPalette | null,
  store: Store,
  actions: Actions,
  open: () => void,
  trans: TranslationBundle
): void {
  const { commands, contextMenu } = app;
  const { directory } = store;
  const category = trans.__('Pyro');
  const noArgs = { args: { type: 'object', properties: {} } };
  const nameArgs = {
    args: {
      type: 'object',
      properties: {
        name: {
          type: 'string',
          description: trans.__('The registered name of the object; without it, the selected one')
        }
      }
    }
  };
  const targetOf = (args: ReadonlyPartialJSONObject): IObjectTarget | null => {
    const name = typeof args.name === 'string' ? args.name : store.state.objectName;
    return name === null ? null : store.target(name);
  };

  commands.addCommand(CommandIDs.open, {
    label: trans.__('Pyro Objects'),
    caption: trans.__('Show the objects of the Pyro name server'),
    icon: pyroIcon,
    describedBy: noArgs,
    execute: open
  });
  commands.addCommand(CommandIDs.refresh, {
    label: trans.__('Refresh Pyro Objects'),
    caption: trans.__('Ask the Pyro name server now'),
    describedBy: noArgs,
    execute: () => store.refresh()
  });
  commands.addCommand(CommandIDs.pause, {
    label: trans.__('Pause Pyro Objects'),
    caption: trans.__('Show no changes of the Pyro name server for now'),
    describedBy: noArgs,
    isToggleable: true,
    isToggled: () => store.state.paused,
    execute: () => store.setPaused(!store.state.paused)
  });
  commands.addCommand(CommandIDs.choose, {
    label: trans.__('Choose a Pyro Name Server…'),
    caption: trans.__('Choose or add the Pyro name server to look at'),
    describedBy: noArgs,
    execute: () => {
      open();
      directory.setChoosing(true);
    }
  });
  commands.addCommand(CommandIDs.startEmbedded, {
    label: trans.__('Start a Pyro Name Server'),
    caption: trans.__('Start a name server for this machine alone, inside the Jupyter server'),
    describedBy: noArgs,
    isEnabled: () => directory.mayChange && directory.embedded === '',
    execute: () => directory.startEmbedded()
  });
  commands.addCommand(CommandIDs.stopEmbedded, {
    label: trans.__('Stop the Pyro Name Server'),
    caption: trans.__('Stop the name server inside the Jupyter server; its names are forgotten'),
    describedBy: noArgs,
    isEnabled: () => directory.mayChange && directory.embedded !== '',
    execute: () => directory.stopEmbedded()
  });
  const general = [
    CommandIDs.open,
    CommandIDs.refresh,
    CommandIDs.pause,
    CommandIDs.choose,
    CommandIDs.startEmbedded,
    CommandIDs.stopEmbedded
  ];
  for (const command of general) {
    palette?.addItem({ command, category });
  }
  directory.changed.connect(() => commands.notifyCommandChanged());
  contextMenu.addItem({ type: 'separator', selector: TREE, rank: LAST });
  contextMenu.addItem({ command: CommandIDs.refresh, selector: TREE, rank: LAST + 1 });
  contextMenu.addItem({ command: CommandIDs.pause, selector: TREE, rank: LAST + 2 });

  const hundreds = new Set<number>();
  const offer = (action: IObjectAction) => {
    const { id, label, caption, rank, places } = action;
    commands.addCommand(id, {
      label,
      caption,
      describedBy: nameArgs,
      isEnabled: args => {
        const target = targetOf(args);
        return target !== null && (action.isEnabled?.(target) ?? true);
      },
      execute: args => {
        const target = targetOf(args);
        return target === null ? undefined : action.run(target);
      }
    });
    palette?.addItem({ command: id, category });
    if (places.includes('menu')) {
      const hundred = Math.floor(rank / 100);
      if (!hundreds.has(hundred)) {
        hundreds.add(hundred);
        contextMenu.addItem({ type: 'separator', selector: ROW, rank: hundred * 100 });
      }
      contextMenu.addItem({ command: id, selector: ROW, rank });
    }
  };
  actions.all().forEach(offer);
  actions.added.connect((_, action) => offer(action));
}
