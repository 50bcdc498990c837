/** Copying, and saying that it was done. */

import { Clipboard, Notification } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

export function copyText(text: string, trans: TranslationBundle): void {
  Clipboard.copyToSystem(text);
  Notification.emit(trans.__('Copied.'), 'default', { autoClose: 1500 });
}
