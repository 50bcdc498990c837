import type { TranslationBundle } from '@jupyterlab/translation';

import type { Actions } from '../actions.js';
import type { Store } from '../state.js';

/** What each part of the panel is given. */
export interface IPart {
  store: Store;
  actions: Actions;
  trans: TranslationBundle;
}
