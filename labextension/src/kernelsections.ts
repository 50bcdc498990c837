/** The sections of the panel that show the kernel: each has the watch look while it is on view. */

import { ReactWidget } from '@jupyterlab/ui-components';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { Message } from '@lumino/messaging';
import React from 'react';

import { Calls } from './components/Calls.js';
import { Kernel } from './components/Kernel.js';
import type { IKernelPart } from './components/kernelpart.js';
import type { KernelWatch } from './kernel.js';
import { Rank } from './sections.js';
import type { ISection } from './sections.js';

/** Something that works only while it is seen. */
interface ISeen {
  start(): void;
  stop(): void;
}

/** A widget that has the watch look while it can be seen, and something else work that it shows. */
export class WatchingWidget extends ReactWidget {
  constructor(
    private _watch: KernelWatch,
    private _draw: () => React.JSX.Element,
    private _shown: ISeen | null = null
  ) {
    super();
  }

  override dispose(): void {
    this._leave();
    super.dispose();
  }

  protected render(): React.JSX.Element {
    return this._draw();
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    if (this.isVisible) {
      this._come();
    }
  }

  protected override onBeforeDetach(message: Message): void {
    this._leave();
    super.onBeforeDetach(message);
  }

  protected override onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this._come();
  }

  protected override onAfterHide(message: Message): void {
    super.onAfterHide(message);
    this._leave();
  }

  private _come(): void {
    this._watch.hold(this);
    this._shown?.start();
  }

  private _leave(): void {
    this._watch.release(this);
    this._shown?.stop();
  }
}

export function kernelSections(part: IKernelPart, trans: TranslationBundle): ISection[] {
  const notebook = new WatchingWidget(part.watch, () => React.createElement(Kernel, part));
  notebook.addClass('pyronb-Kernel');
  const calls = new WatchingWidget(part.watch, () => React.createElement(Calls, part));
  calls.addClass('pyronb-Calls');
  return [
    { title: trans.__('This notebook'), rank: Rank.notebook, size: 5, widget: notebook },
    { title: trans.__('Calls'), rank: Rank.calls, size: 5, folded: true, widget: calls }
  ];
}
