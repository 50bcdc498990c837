import React from 'react';

import { LOAD } from '../code.js';
import type { KernelState } from '../kernel.js';
import type { Wording } from '../wording.js';
import type { IKernelPart } from './kernelpart.js';
import { Notice } from './Notice.js';

/** Why nothing is told of the kernel, and the one thing to do about it; null when it tells. */
export function KernelNotice(props: IKernelPart & { state: KernelState; compact?: boolean }): React.JSX.Element | null {
  const { writer, trans, state, compact } = props;
  const { presence, title } = state;
  if (presence === 'open') {
    return null;
  }
  const wording = wordingOf(state, trans);
  const load = () => void writer.insert(() => LOAD, true);
  const actions: Partial<Record<typeof presence, { label: string; run: () => void }>> = {
    nothing: title === '' ? { label: trans.__('New notebook'), run: () => void writer.openNew() } : undefined,
    absent: { label: trans.__('Insert and run'), run: load },
    dead: { label: trans.__('Restart the kernel'), run: () => void writer.restart() }
  };
  return (
    <Notice
      kind={`kernel-${presence}`}
      tone={presence === 'dead' ? 'bad' : presence === 'absent' || presence === 'language' ? 'warning' : 'off'}
      wording={wording}
      action={actions[presence]}
      compact={compact}
    />
  );
}

function wordingOf({ presence, title, language }: KernelState, trans: IKernelPart['trans']): Wording {
  switch (presence) {
    case 'nothing':
      return title === ''
        ? {
            title: trans.__('No notebook is on view'),
            reason: trans.__('What is shown here belongs to the kernel of the notebook on view.'),
            hint: ''
          }
        : {
            title: trans.__('This notebook has no kernel'),
            reason: trans.__('Choose one at the top right of the notebook.'),
            hint: ''
          };
    case 'language':
      return {
        title: trans.__('The kernel is not Python'),
        reason: trans.__('It speaks %1, and pyronb needs a Python kernel.', language),
        hint: ''
      };
    case 'waiting':
      return {
        title: trans.__('The kernel is busy'),
        reason: trans.__('A cell is running. As soon as it is done, what is open in the kernel is shown here.'),
        hint: ''
      };
    case 'absent':
      return {
        title: trans.__('pyronb is not loaded in this kernel'),
        reason: trans.__('Nothing is known of its remote objects until it is.'),
        hint: trans.__('Run this in the notebook:'),
        code: LOAD
      };
    case 'dead':
      return {
        title: trans.__('The kernel is gone'),
        reason: trans.__('Its proxies, futures and the objects that it served went with it.'),
        hint: ''
      };
    default:
      return {
        title: trans.__('The kernel is starting…'),
        reason: trans.__('What is open in it is shown as soon as it is up.'),
        hint: ''
      };
  }
}
