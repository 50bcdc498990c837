/** Remembers from one page to the next which name server was looked at, and how. */

import type { IStateDB } from '@jupyterlab/statedb';
import { Debouncer } from '@lumino/polling';
import type { ReadonlyPartialJSONValue } from '@lumino/coreutils';

import type { Directory } from './directory.js';
import type { IView, Store } from './state.js';

const KEY = 'pyronb-lab:panel';
const REST = 500;
const MOST_VIEWS = 10;
const MOST_GROUPS = 500;

/** Restores what was remembered, and remembers what changes from now on. */
export async function remember(database: IStateDB, store: Store): Promise<void> {
  const { directory } = store;
  try {
    restore(await database.fetch(KEY), store, directory);
  } catch (reason) {
    console.warn('Nothing is known of how the panel was left.', reason);
  }
  const rested = new Debouncer(() => database.save(KEY, memoryOf(store, directory)), REST);
  let last = '';
  const note = () => {
    const text = JSON.stringify(memoryOf(store, directory));
    if (text !== last) {
      last = text;
      void rested.invoke();
    }
  };
  store.changed.connect(note);
  store.scrolled.connect(note);
  directory.changed.connect(note);
}

function memoryOf(store: Store, directory: Directory): ReadonlyPartialJSONValue {
  const views = [...store.views]
    .filter(([address]) => address !== '')
    .slice(-MOST_VIEWS)
    .map(([address, view]) => ({
      address,
      query: view.query,
      browsed: [...view.browsed].slice(-MOST_GROUPS),
      selected: view.selected,
      objectName: view.objectName,
      scrollTop: Math.round(view.scrollTop)
    }));
  return { address: directory.address, recent: [...directory.recent], views };
}

function restore(memory: unknown, store: Store, directory: Directory): void {
  if (!isRecord(memory)) {
    return;
  }
  const views = new Map<string, IView>();
  for (const view of listOf(memory.views)) {
    if (isRecord(view) && typeof view.address === 'string') {
      views.set(view.address, viewOf(view));
    }
  }
  store.restoreViews(views);
  directory.restore(textOf(memory.address) ?? '', listOf(memory.recent).filter(isText));
}

/** Reads a view; whatever does not have the expected shape counts as not remembered. */
function viewOf(view: Record<string, unknown>): IView {
  const browsed = listOf(view.browsed).filter(
    (pair): pair is [string, boolean] => Array.isArray(pair) && isText(pair[0]) && typeof pair[1] === 'boolean'
  );
  return {
    query: textOf(view.query) ?? '',
    browsed: new Map(browsed),
    selected: textOf(view.selected),
    objectName: textOf(view.objectName),
    scrollTop: typeof view.scrollTop === 'number' ? view.scrollTop : 0
  };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function textOf(value: unknown): string | null {
  return isText(value) ? value : null;
}
