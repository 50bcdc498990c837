import { caretDownIcon, caretRightIcon } from '@jupyterlab/ui-components';
import React from 'react';

import { clip } from '../search.js';
import type { Search } from '../search.js';
import type { Row as TreeRow } from '../tree.js';
import { ROW_HEIGHT } from '../window.js';
import { Marked } from './Marked.js';

interface IRowProps {
  row: TreeRow;
  index: number;
  search: Search;
  selected: boolean;
  /** True for the one row that the Tab key reaches. */
  current: boolean;
  onClick: (index: number) => void;
  onToggle: (index: number) => void;
  onInsert: (index: number) => void;
  onMenu: (index: number) => void;
}

/** One line of the tree. Its accessible name is its label; what else it shows is for the eye, and in the details. */
export const Row = React.memo(function Row(props: IRowProps): React.JSX.Element {
  const { row, index, search } = props;
  const { node, level, open } = row;
  const { entry, label, path } = node;
  const inPath = search.find(path) ?? [];
  const Caret = open ? caretDownIcon : caretRightIcon;
  return (
    <div
      className="pyronb-Row"
      role="treeitem"
      aria-level={level}
      aria-expanded={open ?? undefined}
      aria-selected={props.selected}
      aria-setsize={row.siblings}
      aria-posinset={row.place}
      aria-label={label}
      tabIndex={props.current ? 0 : -1}
      data-pyronb-path={path}
      data-pyronb-name={entry?.name}
      title={entry ? [entry.name, entry.uri, ...entry.tags].join('\n') : undefined}
      style={{
        top: index * ROW_HEIGHT,
        paddingInlineStart: `calc(var(--pyronb-indent) * ${level - 1})`
      }}
      onClick={() => props.onClick(index)}
      onDoubleClick={() => props.onInsert(index)}
      onContextMenu={() => props.onMenu(index)}
    >
      <span
        className="pyronb-Row-caret"
        aria-hidden="true"
        onClick={event => {
          if (open !== null) {
            event.stopPropagation();
            props.onToggle(index);
          }
        }}
      >
        {open !== null && <Caret.react tag="span" />}
      </span>
      <span className={`pyronb-Row-label${entry ? '' : ' pyronb-mod-group'}`}>
        <Marked text={label} ranges={clip(inPath, path.length - label.length, path.length)} />
      </span>
      <Extra row={row} search={search} />
    </div>
  );
});

/** Beside the label: the tags, or the URI when it is only the URI that a search found, or the size of a group. */
function Extra(props: { row: TreeRow; search: Search }): React.JSX.Element {
  const { node, open } = props.row;
  const { entry } = node;
  const find = props.search.find;
  const size = open !== null && !open && (
    <span className="pyronb-Row-size" aria-hidden="true">
      {node.size}
    </span>
  );
  if (!entry) {
    return <>{size}</>;
  }
  const byUri = !props.search.empty && find(entry.name) === null && entry.tags.every(tag => find(tag) === null);
  // Pyro tags each object with its class; in a narrow row that only hides the other tags, unless it was searched for.
  const tags = entry.tags.filter(tag => !tag.startsWith('class:') || find(tag)?.length);
  const texts = byUri ? [entry.uri] : tags;
  return (
    <>
      <span className="pyronb-Row-extra" aria-hidden="true">
        {texts.map((text, place) => (
          <span key={place} className={byUri ? 'pyronb-Row-uri' : 'pyronb-Tag'}>
            <bdi dir="ltr">
              <Marked text={text} ranges={find(text) ?? []} />
            </bdi>
          </span>
        ))}
      </span>
      {size}
    </>
  );
}
