import type { ISignal } from '@lumino/signaling';
import React from 'react';

import type { PanelState, Store } from '../state.js';

/** What `read` gives; draws again when the signal is emitted and that is another thing. */
export function useChanging<T>(changed: ISignal<unknown, unknown>, read: () => T): T {
  const subscribe = React.useCallback(
    (draw: () => void) => {
      changed.connect(draw);
      return () => void changed.disconnect(draw);
    },
    [changed]
  );
  return React.useSyncExternalStore(subscribe, read);
}

/** The state of the store; draws again when it changes. */
export function useStore(store: Store): PanelState {
  return useChanging(store.changed, () => store.state);
}

/** The time, in milliseconds since 1970; draws again each second while `running`. */
export function useNow(running: boolean): number {
  const [now, setNow] = React.useState(Date.now);
  React.useEffect(() => {
    if (!running) {
      return;
    }
    const timer = window.setInterval(() => setNow(Date.now()), 1000);
    return () => window.clearInterval(timer);
  }, [running]);
  return now;
}

/** The height of an element, kept up to date while the user drags the borders. */
export function useHeight(element: HTMLElement | null): number {
  const [height, setHeight] = React.useState(0);
  React.useEffect(() => {
    if (!element) {
      return;
    }
    const observer = new ResizeObserver(() => setHeight(element.clientHeight));
    observer.observe(element);
    return () => observer.disconnect();
  }, [element]);
  return height;
}

interface IHeldOrder<T> {
  rows: T[];
  held: boolean;
  /** For the element around the rows. */
  events: { onMouseEnter: () => void; onMouseLeave: () => void };
}

/** Rows in the order they are given in; but while the pointer is among them they stay where they were when it came. */
export function useHeldOrder<T>(rows: T[], keyOf: (row: T) => string): IHeldOrder<T> {
  const [order, setOrder] = React.useState<string[] | null>(null);
  const events = {
    onMouseEnter: () => setOrder(rows.map(keyOf)),
    onMouseLeave: () => setOrder(null)
  };
  if (order === null) {
    return { rows, held: false, events };
  }
  const places = new Map(order.map((key, place) => [key, place]));
  const placeOf = (row: T) => places.get(keyOf(row)) ?? order.length;
  return { rows: [...rows].sort((one, other) => placeOf(one) - placeOf(other)), held: true, events };
}
