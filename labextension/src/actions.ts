/**
 * What can be done with an object: one list, from which the context menu, the row's own buttons, the card and the
 * palette take what they show. Whoever has something to offer adds it here; nobody else needs to know.
 */

import type { LabIcon } from '@jupyterlab/ui-components';
import { Signal } from '@lumino/signaling';
import type { ISignal } from '@lumino/signaling';

/** A registered object, with what is needed to reach it. */
export interface IObjectTarget {
  name: string;
  /** Empty while the name server has not told it. */
  uri: string;
  tags: string[];
  /** The address of its name server; null when code finds it without being told. */
  nameserver: string | null;
}

/** Where an action is offered: `enter` is the Enter key and the double click, of which there is one. */
export type Place = 'menu' | 'row' | 'card' | 'enter';

export interface IObjectAction {
  /** The id of its command. */
  id: string;
  label: string;
  caption: string;
  /** Shown in the row; an action without one is not offered there. */
  icon?: LabIcon;
  /** Lower ones come first. In the menu, a line separates those of one hundred from those of the next. */
  rank: number;
  places: readonly Place[];
  /** The main one of the card. */
  primary?: boolean;
  /** Whether it can be done now; always, when there is no such function. */
  isEnabled?: (target: IObjectTarget) => boolean;
  run: (target: IObjectTarget) => void | Promise<void>;
}

export class Actions {
  /** Emitted with each action that is added. */
  get added(): ISignal<this, IObjectAction> {
    return this._added;
  }

  add(...actions: IObjectAction[]): void {
    for (const action of actions) {
      this._all.push(action);
      this._all.sort((one, other) => one.rank - other.rank);
      this._added.emit(action);
    }
  }

  /** All of them, or those of one place, in their order. */
  all(place?: Place): IObjectAction[] {
    return this._all.filter(action => place === undefined || action.places.includes(place));
  }

  /** Does what the Enter key stands for. */
  enter(target: IObjectTarget): void {
    const [action] = this.all('enter');
    if (action && (action.isEnabled?.(target) ?? true)) {
      void action.run(target);
    }
  }

  private _all: IObjectAction[] = [];
  private _added = new Signal<this, IObjectAction>(this);
}
