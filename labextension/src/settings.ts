/** Applies the settings of the user. */

import type { ISettingRegistry } from '@jupyterlab/settingregistry';

import type { CodeForm } from './code.js';
import type { Directory } from './directory.js';
import type { Health } from './health.js';
import type { Insertion } from './insertion.js';
import type { Store } from './state.js';

interface ISettled {
  store: Store;
  directory: Directory;
  health: Health;
  insertion: Insertion;
}

/** Applies the settings now and whenever they change; without them the defaults stay in force. */
export async function followSettings(id: string, registry: ISettingRegistry | null, to: ISettled): Promise<void> {
  const { store, directory, health, insertion } = to;
  const apply = ({ composite }: ISettingRegistry.ISettings) => {
    store.setInterval(composite.interval as number);
    store.setSeparator(composite.treeSeparator as string);
    health.enabled = composite.checkHealth as boolean;
    insertion.form = composite.codeForm as CodeForm;
    insertion.runAfterInsert = composite.runAfterInsert as boolean;
    void directory.want(composite.nameServers as string[]);
  };
  try {
    const settings = await registry?.load(id);
    if (settings) {
      apply(settings);
      settings.changed.connect(apply);
      directory.save = addresses => void settings.set('nameServers', addresses);
    }
  } catch (reason) {
    console.error(`No settings for ${id}.`, reason);
  }
}
