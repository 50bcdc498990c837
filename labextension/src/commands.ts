/** The ids of the commands, and what they do. */

import type { CommandRegistry } from '@lumino/commands';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import type { TranslationBundle } from '@jupyterlab/translation';

import type { Actions } from './actions.js';
import { pyroIcon } from './icon.js';
import type { Store } from './state.js';

export const CommandIDs = {
  open: 'pyronb:open',
  refresh: 'pyronb:refresh',
  insert: 'pyronb:insert',
  insertAndRun: 'pyronb:insert-and-run',
  copyCode: 'pyronb:copy-code',
  copyName: 'pyronb:copy-name',
  copyUri: 'pyronb:copy-uri'
} as const;

export function addCommands(
  commands: CommandRegistry,
  store: Store,
  actions: Actions,
  open: () => void,
  trans: TranslationBundle
): void {
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
  const nameOf = (args: ReadonlyPartialJSONObject): string | null =>
    typeof args.name === 'string' ? args.name : store.state.objectName;

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

  const addForName = (id: string, label: string, caption: string, run: (name: string) => void | Promise<void>) =>
    commands.addCommand(id, {
      label,
      caption,
      describedBy: nameArgs,
      isEnabled: args => nameOf(args) !== null,
      execute: args => {
        const name = nameOf(args);
        return name === null ? undefined : run(name);
      }
    });

  addForName(CommandIDs.insert, trans.__('Insert'), trans.__('Insert a cell that connects to the object'), name =>
    actions.insert(name)
  );
  addForName(
    CommandIDs.insertAndRun,
    trans.__('Insert and run'),
    trans.__('Insert a cell that connects to the object, and run it'),
    name => actions.insert(name, true)
  );
  addForName(CommandIDs.copyCode, trans.__('Copy code'), trans.__('Copy the code that connects to the object'), name =>
    actions.copyCode(name)
  );
  addForName(CommandIDs.copyName, trans.__('Copy name'), trans.__('Copy the registered name of the object'), name =>
    actions.copy(name)
  );
  addForName(CommandIDs.copyUri, trans.__('Copy URI'), trans.__('Copy the URI of the object'), name =>
    actions.copyUri(name)
  );
}
