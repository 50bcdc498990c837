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

/** Beside the label: the tags, or the class or URI when only that is why a search found it, or the size of a group. */
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
  // Pyro tags each object with its class; in a narrow row that would only hide the other tags.
  let texts = entry.tags.filter(tag => !tag.startsWith('class:'));
  const unclear = !props.search.empty && find(entry.name) === null && texts.every(tag => find(tag) === null);
  if (unclear) {
    texts = [entry.tags.find(tag => find(tag) !== null) ?? entry.uri];
  }
  return (
    <>
      <span className="pyronb-Row-extra" aria-hidden="true">
        {texts.map((text, place) => (
          <span key={place} className={unclear ? 'pyronb-Row-uri' : 'pyronb-Tag'}>
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
