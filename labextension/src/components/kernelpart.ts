import type { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';

import type { KernelState, KernelWatch } from '../kernel.js';
import type { NotebookWriter } from '../notebook.js';

/** What each part that shows the kernel is given. */
export interface IKernelPart {
  watch: KernelWatch;
  writer: NotebookWriter;
  trans: TranslationBundle;
  /** Shows an object in the main area: one with a registered name. */
  openObject: (name: string) => void;
  /** Shows the calls where there is more room; not there where they are shown so already. */
  openCalls?: () => void;
}

/** The state of the watch; draws again when it changes. */
export function useKernel(watch: KernelWatch): KernelState {
  const subscribe = React.useCallback(
    (draw: () => void) => {
      watch.changed.connect(draw);
      return () => void watch.changed.disconnect(draw);
    },
    [watch]
  );
  return React.useSyncExternalStore(subscribe, () => watch.state);
}
