/** The panel: a header, and sections below each other that can be folded. It decides when the store polls. */

import { ReactWidget, SidePanel } from '@jupyterlab/ui-components';
import type { ITranslator } from '@jupyterlab/translation';
import { MessageLoop } from '@lumino/messaging';
import type { Message } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';
import type { AccordionPanel, Menu } from '@lumino/widgets';
import React from 'react';

import { Details } from './components/Details.js';
import { Header } from './components/Header.js';
import { Names } from './components/Names.js';
import type { IPart } from './components/part.js';
import { pyroIcon } from './icon.js';
import { Rank } from './sections.js';
import type { ISection } from './sections.js';

export class PyroPanel extends SidePanel {
  constructor(
    private _part: IPart,
    translator: ITranslator
  ) {
    super({ translator });
    const { trans } = _part;
    this.id = 'pyronb-panel';
    this.addClass('pyronb-Panel');
    this.title.icon = pyroIcon;
    this.title.caption = trans.__('Pyro objects');
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', trans.__('Pyro objects'));

    this.header.addWidget(widget(Header, _part));
    const names = widget(Names, _part);
    names.addClass('pyronb-Names');
    const details = widget(Details, _part);
    details.addClass('pyronb-Details');
    this.addSections(
      { title: trans.__('Names'), rank: Rank.names, size: 12, widget: names },
      { title: trans.__('Object'), rank: Rank.object, size: 8, widget: details }
    );
  }

  /** Adds sections, each at its place among those that are there. */
  addSections(...sections: ISection[]): void {
    const content = this.content as AccordionPanel;
    for (const section of sections) {
      const at = this._sections.filter(({ rank }) => rank <= section.rank).length;
      this._sections.splice(at, 0, section);
      section.widget.title.label = section.title;
      this.insertWidget(at, section.widget);
    }
    for (const { widget, folded } of sections) {
      if (folded) {
        content.collapse(content.widgets.indexOf(widget));
      }
    }
    // Folding shares the room out anew, so it comes first.
    this._shareRoom();
    content.expansionToggled.connect(this._unfolded, this);
  }

  private _shareRoom(): void {
    const sizes = this._sections.map(({ size, widget }) => (widget.isHidden ? 0 : size));
    (this.content as AccordionPanel).setRelativeSizes(sizes);
  }

  /** A section that is seen for the first time has no room yet; later it gets that which it had. */
  private _unfolded(): void {
    for (const section of this._sections) {
      if (section.folded && !section.widget.isHidden) {
        section.folded = false;
        this._shareRoom();
      }
    }
  }

  /** Puts the keyboard into the search box. */
  focusSearch(): void {
    this.node.querySelector<HTMLElement>('.pyronb-Search-input')?.focus({ preventScroll: true });
  }

  override dispose(): void {
    this._part.health.dispose();
    this._part.store.dispose();
    super.dispose();
  }

  /** Gives the keyboard back to the tree when the context menu that it opened is closed. */
  followMenu(menu: Menu): void {
    menu.aboutToClose.connect(() => {
      if (this._menuOpened) {
        this._menuOpened = false;
        requestAnimationFrame(() => {
          if (document.activeElement === document.body) {
            this.node.querySelector<HTMLElement>('.pyronb-Row[tabindex="0"]')?.focus({ preventScroll: true });
          }
        });
      }
    });
  }

  handleEvent(event: Event): void {
    const { type, target } = event;
    const typing = target instanceof HTMLInputElement;
    if (type === 'keydown' && (event as KeyboardEvent).key === '/' && !typing) {
      event.preventDefault();
      this.focusSearch();
    } else if (type === 'contextmenu') {
      this._menuOpened = target instanceof Element && target.closest('.pyronb-Row') !== null;
    }
  }

  protected override onActivateRequest(message: Message): void {
    super.onActivateRequest(message);
    // The first time, the search box is drawn only after this.
    requestAnimationFrame(() => this.focusSearch());
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this.node.addEventListener('keydown', this);
    this.node.addEventListener('contextmenu', this);
    this._fitted.observe(this.header.node);
    // A panel that is moved to the other side is attached without being shown anew.
    if (this.isVisible) {
      this._part.store.start();
    }
  }

  protected override onBeforeDetach(message: Message): void {
    this.node.removeEventListener('keydown', this);
    this.node.removeEventListener('contextmenu', this);
    this._fitted.disconnect();
    this._part.store.stop();
    super.onBeforeDetach(message);
  }

  protected override onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this._part.store.start();
  }

  protected override onAfterHide(message: Message): void {
    super.onAfterHide(message);
    this._part.store.stop();
  }

  private _sections: ISection[] = [];
  private _menuOpened = false;
  // The header grows and shrinks with what it says; the sections share what it leaves.
  private _fitted = new ResizeObserver(() => MessageLoop.sendMessage(this.content, Widget.ResizeMessage.UnknownSize));
}

function widget(Component: (props: IPart) => React.JSX.Element, part: IPart): ReactWidget {
  return ReactWidget.create(React.createElement(Component, part));
}
