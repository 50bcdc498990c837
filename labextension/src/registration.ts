/** The actions on a registration itself. */

import { copyIcon } from '@jupyterlab/ui-components';
import type { TranslationBundle } from '@jupyterlab/translation';

import type { IObjectAction } from './actions.js';
import { copyText } from './clipboard.js';
import { CommandIDs } from './commands.js';

export function registrationActions(trans: TranslationBundle): IObjectAction[] {
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
    }
  ];
}
