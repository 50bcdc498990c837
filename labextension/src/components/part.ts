import type { TranslationBundle } from '@jupyterlab/translation';

import type { Actions } from '../actions.js';
import type { Directory } from '../directory.js';
import type { Health } from '../health.js';
import type { Store } from '../state.js';

/** What each part of the panel is given. */
export interface IPart {
  store: Store;
  directory: Directory;
  health: Health;
  actions: Actions;
  trans: TranslationBundle;
}
