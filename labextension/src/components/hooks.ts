import React from 'react';

import type { PanelState, Store } from '../state.js';

/** The state of the store; draws again when it changes. */
export function useStore(store: Store): PanelState {
  const subscribe = React.useCallback(
    (draw: () => void) => {
      store.changed.connect(draw);
      return () => void store.changed.disconnect(draw);
    },
    [store]
  );
  return React.useSyncExternalStore(subscribe, () => store.state);
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
