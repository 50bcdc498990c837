import { ellipsesIcon } from '@jupyterlab/ui-components';
import type { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';

import type { IObjectAction } from '../actions.js';
import { familyOf, formatLatency, visible } from '../format.js';
import type { HealthModel } from '../models.js';
import { clip } from '../search.js';
import type { Search } from '../search.js';
import type { Row as TreeRow } from '../tree.js';
import { ROW_HEIGHT } from '../window.js';
import { objectWord, toneOf } from '../wording.js';
import { IconButton } from './IconButton.js';
import { Marked } from './Marked.js';

/** What the rows tell the tree; the same functions for all of them, for as long as the tree lives. */
export interface IRowEvents {
  click: (index: number) => void;
  toggle: (index: number) => void;
  enter: (index: number) => void;
  select: (index: number) => void;
  hover: (index: number) => void;
  menu: (index: number, row: HTMLElement) => void;
  act: (index: number, action: IObjectAction) => void;
}

interface IRowProps {
  row: TreeRow;
  index: number;
  search: Search;
  /** Null while nothing is known; then `checking` tells whether that will change. */
  health: HealthModel | null;
  checking: boolean;
  selected: boolean;
  /** True for the one row that the Tab key reaches. */
  current: boolean;
  /** The buttons, when they are to be there. */
  buttons: IObjectAction[] | null;
  events: IRowEvents;
  trans: TranslationBundle;
}

/** One line of the tree. Its accessible name is its label; the rest describes it. */
export const Row = React.memo(function Row(props: IRowProps): React.JSX.Element {
  const { row, index, search, health, buttons, events, trans } = props;
  const { node, level, open } = row;
  const { entry, label, path } = node;
  const state = health?.state ?? (props.checking ? 'checking' : null);
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
      aria-description={state ? objectWord(state, trans) : undefined}
      tabIndex={props.current ? 0 : -1}
      data-pyronb-path={path}
      data-pyronb-name={entry?.name}
      title={entry ? tooltip(entry.name, entry.uri, entry.tags, health, trans) : undefined}
      style={{
        top: index * ROW_HEIGHT,
        paddingInlineStart: `calc(var(--pyronb-indent) * ${level - 1})`
      }}
      onClick={() => events.click(index)}
      onDoubleClick={() => events.enter(index)}
      onContextMenu={() => events.select(index)}
      onMouseEnter={() => events.hover(index)}
    >
      <span
        className="pyronb-Row-caret"
        data-pyronb-open={open ?? undefined}
        aria-hidden="true"
        onClick={event => {
          if (open !== null) {
            event.stopPropagation();
            events.toggle(index);
          }
        }}
      />
      <span className={`pyronb-Row-label${entry ? '' : ' pyronb-mod-group'}`}>
        <Marked text={label} ranges={clip(search.mark(path, 'name'), path.length - label.length, path.length)} />
      </span>
      <Extra row={row} search={search} />
      {state && <State state={state} latency={health?.latency ?? null} trans={trans} />}
      {buttons && entry && (
        <span className="pyronb-Row-buttons" onDoubleClick={event => event.stopPropagation()}>
          {buttons.map(
            action =>
              action.icon && (
                <IconButton
                  key={action.id}
                  icon={action.icon}
                  label={trans.__('%1: %2', action.label, visible(entry.name))}
                  title={action.caption}
                  tabIndex={props.current ? 0 : -1}
                  onClick={() => events.act(index, action)}
                />
              )
          )}
          <More {...props} />
        </span>
      )}
    </div>
  );
});

/** Opens the context menu, for those who have no other way to it. */
function More({ index, current, events, trans }: IRowProps): React.JSX.Element {
  const place = React.useRef<HTMLSpanElement>(null);
  return (
    <span ref={place}>
      <IconButton
        icon={ellipsesIcon}
        label={trans.__('More')}
        title={trans.__('All that can be done with this object')}
        tabIndex={current ? 0 : -1}
        onClick={() => events.menu(index, place.current!)}
      />
    </span>
  );
}

/** A dot, and the word for it or, when all is well, the time that a ping takes. */
function State(props: {
  state: HealthModel['state'];
  latency: number | null;
  trans: TranslationBundle;
}): React.JSX.Element {
  const { state, latency, trans } = props;
  const word = objectWord(state, trans);
  return (
    <span className="pyronb-Status pyronb-Row-state" data-pyronb-tone={toneOf(state)} aria-hidden="true">
      {state === 'ok' && latency !== null && <span className="pyronb-Row-latency">{formatLatency(latency)}</span>}
      <span className="pyronb-Status-word">{word}</span>
      <span className="pyronb-Dot" />
    </span>
  );
}

function tooltip(
  name: string,
  uri: string,
  tags: string[],
  health: HealthModel | null,
  trans: TranslationBundle
): string {
  const lines = [visible(name), visible(uri), ...tags.map(visible)];
  if (health) {
    const { state, latency, server, reason } = health;
    const facts = [objectWord(state, trans)];
    if (latency !== null) {
      facts.push(formatLatency(latency));
    }
    if (server) {
      facts.push(familyOf(server) === server ? server : trans.__('%1 (family %2)', server, familyOf(server)));
    }
    lines.push('', facts.join(' · '), visible(reason));
  }
  return lines.join('\n').trim();
}

/** Beside the label: the tags, or the class or URI when only that is why a search found it, or the size of a group. */
function Extra(props: { row: TreeRow; search: Search }): React.JSX.Element {
  const { node, open } = props.row;
  const { entry } = node;
  const { empty, mark } = props.search;
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
  const isMarked = (tag: string) => mark(tag, 'tag').length > 0;
  const unclear = !empty && mark(entry.name, 'name').length === 0 && !texts.some(isMarked);
  if (unclear) {
    texts = [entry.tags.find(isMarked) ?? entry.uri];
  }
  return (
    <>
      <span className="pyronb-Row-extra" aria-hidden="true">
        {texts.map((text, place) => (
          <span key={place} className={unclear ? 'pyronb-Row-uri' : 'pyronb-Tag'}>
            <bdi dir="ltr">
              <Marked text={text} ranges={mark(text, text === entry.uri ? 'uri' : 'tag')} />
            </bdi>
          </span>
        ))}
      </span>
      {size}
    </>
  );
}
