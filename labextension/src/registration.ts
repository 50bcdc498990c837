/** The actions on a registration itself. */

import { Dialog, Notification, showDialog } from '@jupyterlab/apputils';
import { copyIcon, linkIcon } from '@jupyterlab/ui-components';
import type { TranslationBundle } from '@jupyterlab/translation';

import type { IObjectAction, IObjectTarget } from './actions.js';
import type { Api } from './api.js';
import { copyText } from './clipboard.js';
import { CommandIDs } from './commands.js';
import { conditionOfError, OWN_NAME } from './condition.js';
import { formatLatency, visible } from './format.js';
import type { Health } from './health.js';
import type { Store } from './state.js';
import { nameServerNotice, objectNotice } from './wording.js';

export function registrationActions(api: Api, store: Store, health: Health, trans: TranslationBundle): IObjectAction[] {
  return [
    {
      id: CommandIDs.copyName,
      label: trans.__('Copy name'),
      caption: trans.__('Copy the registered name of the object'),
      rank: 120,
      places: ['menu'],
      run: ({ name }) => copyText(name, trans)
    },
    {
      id: CommandIDs.copyUri,
      label: trans.__('Copy URI'),
      caption: trans.__('Copy the URI of the object'),
      icon: copyIcon,
      rank: 130,
      places: ['menu'],
      isEnabled: ({ uri }) => uri !== '',
      run: ({ uri }) => copyText(uri, trans)
    },
    {
      id: CommandIDs.ping,
      label: trans.__('Ping'),
      caption: trans.__('Ask the daemon of the object for a sign of life'),
      icon: linkIcon,
      rank: 210,
      places: ['menu', 'card'],
      isEnabled: ({ uri }) => uri !== '',
      run: target => ping(target, health, trans)
    },
    {
      id: CommandIDs.unregister,
      label: trans.__('Unregister…'),
      caption: trans.__('Have the name server forget this name'),
      rank: 220,
      places: ['menu'],
      isEnabled: ({ name, uri }) => store.directory.mayChange && uri !== '' && name !== OWN_NAME,
      run: target => unregister(target, api, store, trans)
    }
  ];
}

async function ping({ name }: IObjectTarget, health: Health, trans: TranslationBundle): Promise<void> {
  try {
    const found = await health.ping(name);
    if (found?.state === 'ok' && found.latency !== null) {
      const text = trans.__('%1 answered in %2.', visible(name), formatLatency(found.latency));
      Notification.success(text, { autoClose: 3000 });
      return;
    }
    const kind = found?.state ?? 'unknown';
    const { title, reason } = objectNotice({ kind, reason: found?.reason ?? '', hint: '' }, trans);
    Notification.error(visible(reason || title), { autoClose: 8000 });
  } catch (error) {
    tellFailure(error, trans);
  }
}

/** Asks first: whoever looks the name up afterwards finds nothing. */
async function unregister(
  { name, uri }: IObjectTarget,
  api: Api,
  store: Store,
  trans: TranslationBundle
): Promise<void> {
  const { address } = store;
  const { button } = await showDialog({
    title: trans.__('Unregister %1?', visible(name)),
    body: trans.__(
      'The name server at %1 forgets it, for everybody. The object itself lives on at %2, but nobody finds it by ' +
        'name any more.',
      address,
      visible(uri)
    ),
    buttons: [Dialog.cancelButton(), Dialog.warnButton({ label: trans.__('Unregister') })],
    defaultButton: 0
  });
  if (!button.accept) {
    return;
  }
  try {
    const { state, reason, hint } = await api.unregister(address, name, uri);
    if (state === 'ok') {
      Notification.success(trans.__('%1 is not registered any more.', visible(name)), { autoClose: 3000 });
    } else {
      Notification.error(visible(`${reason} ${hint}`), { autoClose: 8000 });
    }
    store.refresh();
  } catch (error) {
    tellFailure(error, trans);
  }
}

function tellFailure(error: unknown, trans: TranslationBundle): void {
  const { title, reason } = nameServerNotice(conditionOfError(error), trans);
  Notification.error(visible(reason || title), { autoClose: 8000 });
}
