import React from 'react';

import { moveOf, typeAhead } from '../keys.js';
import type { Search } from '../search.js';
import type { PanelState } from '../state.js';
import type { Row as TreeRow } from '../tree.js';
import { ROW_HEIGHT, scrollFor, windowOf } from '../window.js';
import { useChanging, useHeight } from './hooks.js';
import type { IPart } from './part.js';
import { Row } from './Row.js';
import type { IRowEvents } from './Row.js';

interface ITreeProps extends IPart {
  state: PanelState;
  rows: TreeRow[];
  search: Search;
  stale: boolean;
}

// Letters typed with a longer pause in between begin a new word.
const TYPING_PAUSE = 800;

/**
 * The rows of the tree. Only those in view are drawn, and the current one, so that it keeps the keyboard focus
 * wherever it has been scrolled to.
 */
export function Tree(props: ITreeProps): React.JSX.Element {
  const { store, health, actions, trans, state, rows, search, stale } = props;
  const [element, setElement] = React.useState<HTMLElement | null>(null);
  const [scrollTop, setScrollTop] = React.useState(state.scrollTop);
  const [hovered, setHovered] = React.useState<string | null>(null);
  const height = useHeight(element);
  const typed = React.useRef({ text: '', at: 0 });
  const wantsFocus = React.useRef(false);
  const places = React.useMemo(() => new Map(rows.map(({ node }, index) => [node.path, index])), [rows]);
  const current = currentIndex(places, state.selected, state.separator);
  useChanging(health.changed, () => health.all);

  React.useEffect(() => {
    if (wantsFocus.current && element) {
      wantsFocus.current = false;
      element.querySelector<HTMLElement>('.pyronb-Row[tabindex="0"]')?.focus({ preventScroll: true });
    }
  });

  // A tree that is drawn anew is where it was.
  React.useLayoutEffect(() => {
    if (element && height > 0) {
      element.scrollTop = store.state.scrollTop;
    }
  }, [element, height > 0, store.address]);

  const first = Math.floor(scrollTop / ROW_HEIGHT);
  const last = Math.ceil((scrollTop + height) / ROW_HEIGHT);
  React.useEffect(() => {
    const names = rows.slice(first, last).flatMap(({ node }) => node.entry?.name ?? []);
    if (state.objectName !== null && !names.includes(state.objectName)) {
      names.push(state.objectName);
    }
    health.view(names);
  }, [health, rows, first, last, state.objectName]);

  // The rows are handed these functions once, or each refresh would draw all of them again.
  const latest = React.useRef({ rows });
  latest.current = { rows };
  const events = React.useMemo<IRowEvents>(() => {
    const rowAt = (index: number) => latest.current.rows[index];
    const select = (index: number) => {
      const { node } = rowAt(index);
      store.select(node.path, node.entry?.name ?? null);
    };
    const toggle = (index: number) => {
      const { node, open } = rowAt(index);
      store.setOpen(node.path, !open);
    };
    return {
      select,
      toggle,
      click: index => {
        select(index);
        if (!rowAt(index).node.entry) {
          toggle(index);
        }
      },
      enter: index => {
        const name = rowAt(index).node.entry?.name;
        if (name !== undefined) {
          actions.enter(store.target(name));
        }
      },
      hover: index => setHovered(rowAt(index).node.path),
      menu: (index, place) => {
        select(index);
        openMenu(place);
      },
      act: (index, action) => {
        const name = rowAt(index).node.entry?.name;
        if (name !== undefined) {
          void action.run(store.target(name));
        }
      }
    };
  }, [store, actions]);

  const goTo = (index: number) => {
    if (element) {
      element.scrollTop = scrollFor(index, element.scrollTop, height);
    }
    wantsFocus.current = true;
    events.select(index);
  };

  const onKeyDown = (event: React.KeyboardEvent) => {
    const onRow = (event.target as HTMLElement).getAttribute('role') === 'treeitem';
    if (!onRow || event.ctrlKey || event.metaKey || event.altKey) {
      return;
    }
    const page = Math.max(1, Math.floor(height / ROW_HEIGHT) - 1);
    const typing = Date.now() - typed.current.at < TYPING_PAUSE;
    // Within a word a space is a letter.
    const isLetter =
      [...event.key].length === 1 && event.key !== '/' && (event.key !== ' ' || (typing && typed.current.text !== ''));
    const move = isLetter ? null : moveOf(event.key, rows, current, page);
    if (event.key === 'ContextMenu' || (event.key === 'F10' && event.shiftKey)) {
      if (current >= 0) {
        events.select(current);
        openMenu(event.target as HTMLElement);
      }
    } else if (isLetter) {
      const text = (typing ? typed.current.text : '') + event.key;
      typed.current = { text, at: Date.now() };
      const index = typeAhead(rows, current, text);
      if (index >= 0) {
        goTo(index);
      }
    } else if (move?.kind === 'select') {
      goTo(move.index);
    } else if (move?.kind === 'open') {
      store.setOpen(rows[move.index].node.path, move.open);
    } else if (move?.kind === 'insert') {
      events.enter(move.index);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  };

  const drawn = windowOf(rows.length, scrollTop, height);
  if (current >= 0 && !drawn.includes(current)) {
    drawn.push(current);
  }
  const buttons = React.useMemo(() => actions.all('row'), [actions]);
  return (
    <div
      ref={setElement}
      className={`pyronb-Tree${stale ? ' pyronb-mod-stale' : ''}`}
      role="tree"
      aria-label={trans.__('Names of the name server')}
      onScroll={event => {
        setScrollTop(event.currentTarget.scrollTop);
        store.setScrollTop(event.currentTarget.scrollTop);
      }}
      onKeyDown={onKeyDown}
      onMouseLeave={() => setHovered(null)}
    >
      <div className="pyronb-Tree-rows" role="presentation" style={{ height: rows.length * ROW_HEIGHT }}>
        {drawn.map(index => {
          const row = rows[index];
          const { entry, path } = row.node;
          const chosen = path === state.selected;
          return (
            <Row
              key={path}
              row={row}
              index={index}
              search={search}
              health={entry && health.of(entry.name)}
              checking={entry !== null && health.running}
              selected={chosen}
              current={index === current}
              buttons={entry && (chosen || path === hovered) ? buttons : null}
              events={events}
              trans={trans}
            />
          );
        })}
      </div>
    </div>
  );
}

/** Has the application open its context menu below this element. */
function openMenu(element: HTMLElement): void {
  const { left, bottom } = element.getBoundingClientRect();
  const place = { clientX: left + 24, clientY: bottom };
  element.dispatchEvent(new MouseEvent('contextmenu', { bubbles: true, cancelable: true, ...place }));
}

/** The row that the keyboard is on: the selected one, or its nearest group on view, or the first. */
function currentIndex(places: Map<string, number>, selected: string | null, separator: string): number {
  for (let path = selected; path; path = parentOf(path, separator)) {
    const index = places.get(path);
    if (index !== undefined) {
      return index;
    }
  }
  return places.size > 0 ? 0 : -1;
}

function parentOf(path: string, separator: string): string {
  const at = separator === '' ? -1 : path.lastIndexOf(separator);
  return at < 0 ? '' : path.slice(0, at);
}
