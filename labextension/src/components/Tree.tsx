import React from 'react';

import { moveOf, typeAhead } from '../keys.js';
import type { Search } from '../search.js';
import type { PanelState } from '../state.js';
import type { Row as TreeRow } from '../tree.js';
import { ROW_HEIGHT, scrollFor, windowOf } from '../window.js';
import { useHeight } from './hooks.js';
import type { IPart } from './part.js';
import { Row } from './Row.js';

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
  const { store, actions, trans, state, rows, search, stale } = props;
  const [element, setElement] = React.useState<HTMLElement | null>(null);
  const [scrollTop, setScrollTop] = React.useState(0);
  const height = useHeight(element);
  const typed = React.useRef({ text: '', at: 0 });
  const wantsFocus = React.useRef(false);
  const current = currentIndex(rows, state.selected, state.separator);

  React.useEffect(() => {
    if (wantsFocus.current && element) {
      wantsFocus.current = false;
      element.querySelector<HTMLElement>('[tabindex="0"]')?.focus({
        preventScroll: true
      });
    }
  });

  // The rows are handed these functions once, or each refresh would draw all of them again.
  const latest = React.useRef({ rows });
  latest.current = { rows };
  const handlers = React.useMemo(() => {
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
      click: (index: number) => {
        select(index);
        if (!rowAt(index).node.entry) {
          toggle(index);
        }
      },
      insert: (index: number) => {
        const name = rowAt(index).node.entry?.name;
        if (name !== undefined) {
          actions.enter(store.target(name));
        }
      }
    };
  }, [store, actions]);

  const goTo = (index: number) => {
    if (element) {
      element.scrollTop = scrollFor(index, element.scrollTop, height);
    }
    wantsFocus.current = true;
    handlers.select(index);
  };

  const onKeyDown = (event: React.KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) {
      return;
    }
    const page = Math.max(1, Math.floor(height / ROW_HEIGHT) - 1);
    const typing = Date.now() - typed.current.at < TYPING_PAUSE;
    // Within a word a space is a letter.
    const isLetter =
      [...event.key].length === 1 && event.key !== '/' && (event.key !== ' ' || (typing && typed.current.text !== ''));
    const move = isLetter ? null : moveOf(event.key, rows, current, page);
    if (isLetter) {
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
      handlers.insert(move.index);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  };

  const { first, last } = windowOf(rows.length, scrollTop, height);
  const drawn = [];
  for (let index = first; index < last; index++) {
    drawn.push(index);
  }
  if (current >= 0 && (current < first || current >= last)) {
    drawn.push(current);
  }
  return (
    <div
      ref={setElement}
      className={`pyronb-Tree${stale ? ' pyronb-mod-stale' : ''}`}
      role="tree"
      aria-label={trans.__('Names of the name server')}
      onScroll={event => setScrollTop(event.currentTarget.scrollTop)}
      onKeyDown={onKeyDown}
    >
      <div className="pyronb-Tree-rows" role="presentation" style={{ height: rows.length * ROW_HEIGHT }}>
        {drawn.map(index => (
          <Row
            key={rows[index].node.path}
            row={rows[index]}
            index={index}
            search={search}
            selected={rows[index].node.path === state.selected}
            current={index === current}
            onClick={handlers.click}
            onToggle={handlers.toggle}
            onInsert={handlers.insert}
            onMenu={handlers.select}
          />
        ))}
      </div>
    </div>
  );
}

/** The row that the keyboard is on: the selected one, or its nearest group on view, or the first. */
function currentIndex(rows: TreeRow[], selected: string | null, separator: string): number {
  for (let path = selected; path; path = parentOf(path, separator)) {
    const index = rows.findIndex(row => row.node.path === path);
    if (index >= 0) {
      return index;
    }
  }
  return rows.length > 0 ? 0 : -1;
}

function parentOf(path: string, separator: string): string {
  const at = separator === '' ? -1 : path.lastIndexOf(separator);
  return at < 0 ? '' : path.slice(0, at);
}
