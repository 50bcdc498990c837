import React from 'react';

import { copyText } from '../clipboard.js';
import { conditionOfError, isFine } from '../condition.js';
import type { Condition } from '../condition.js';
import { formatSpan } from '../format.js';
import { parseSearch } from '../search.js';
import type { PanelState } from '../state.js';
import { buildTree, flatten } from '../tree.js';
import { nameServerNotice, toneOf } from '../wording.js';
import { useNow, useStore } from './hooks.js';
import { Notice } from './Notice.js';
import type { IPart } from './part.js';
import { Search } from './Search.js';
import { Tree } from './Tree.js';

/** The section with the search box and the tree, or the notice of what keeps it from being there. */
export function Names(part: IPart): React.JSX.Element {
  const { store, trans } = part;
  const state = useStore(store);
  const { condition, names, query, separator, browsed, searched } = state;
  const element = React.useRef<HTMLDivElement>(null);

  const search = React.useMemo(() => parseSearch(query), [query]);
  const found = React.useMemo(
    () => (search.empty ? names : names.filter(name => search.matches(name))),
    [names, search]
  );
  const roots = React.useMemo(() => buildTree(found, separator), [found, separator]);
  const rows = React.useMemo(
    () => flatten(roots, (path, level) => store.isOpen(path, level)),
    [roots, browsed, searched, store]
  );

  const fine = isFine(condition);
  // Only an answer says that there are none; an empty list during a failure says nothing.
  const notice = condition.kind !== 'ok' || names.length === 0;
  const enterTree = () => element.current?.querySelector<HTMLElement>('.pyronb-Row[tabindex="0"]')?.focus();
  return (
    <div className="pyronb-Section" ref={element}>
      <Search {...part} query={query} found={found.length} total={state.total} enterTree={enterTree} />
      {notice && <NameServerNotice {...part} state={state} />}
      {names.length > 0 && found.length === 0 && (
        <Notice
          kind="no-match"
          tone="off"
          wording={{
            title: trans.__('Nothing matches “%1”', query.trim()),
            reason: trans.__('No name, tag or URI has it.'),
            hint: ''
          }}
          action={{
            label: trans.__('Show all'),
            run: () => store.setQuery('')
          }}
        />
      )}
      {found.length > 0 && <Tree {...part} state={state} rows={rows} search={search} stale={!fine} />}
      {fine && names.length < state.total && (
        <div className="pyronb-Section-foot">
          {trans.__('The name server has %1 names; the first %2 are here.', state.total, names.length)}
        </div>
      )}
    </div>
  );
}

/** What the name server's condition means, and the one thing to do about it. */
function NameServerNotice(props: IPart & { state: PanelState }): React.JSX.Element {
  const { store, directory, trans, state } = props;
  const { condition, names, updatedAt, nextTryAt, active, refreshing } = state;
  const now = useNow(active && nextTryAt !== null);
  const [trouble, setTrouble] = React.useState('');
  const nameserver = state.reply?.nameserver;
  const wording = nameServerNotice(condition, trans, nameserver?.default === false ? nameserver.address : '');
  const notes = [trouble];
  if (!isFine(condition) && names.length > 0 && updatedAt !== null) {
    notes.push(trans.__('Stale: these names are %1 old.', formatSpan(now - updatedAt)));
  }
  if (refreshing) {
    notes.push(trans.__('Trying…'));
  } else if (!isFine(condition) && nextTryAt !== null) {
    notes.push(trans.__('Next try in %1.', formatSpan(nextTryAt - now)));
  }
  return (
    <Notice
      kind={condition.kind}
      tone={toneOf(condition.kind)}
      wording={wording}
      note={notes.filter(Boolean).join(' ')}
      compact={names.length > 0 && !isFine(condition)}
      action={actionFor(condition, wording.code)}
    />
  );

  function actionFor({ kind }: Condition, code: string | undefined) {
    if (code !== undefined) {
      const label = kind === 'empty' ? trans.__('Copy example') : trans.__('Copy command');
      return { label, run: () => copyText(code, trans) };
    }
    if (kind === 'forbidden') {
      const run = () => window.location.reload();
      return { label: trans.__('Reload page'), run };
    }
    if (kind === 'unconfigured' || kind === 'unknown-nameserver') {
      return { label: trans.__('Choose a name server…'), run: () => directory.setChoosing(true) };
    }
    if (kind === 'unreachable' && directory.couldStart(store.address)) {
      return { label: trans.__('Start a name server'), run: start };
    }
    return { label: trans.__('Try again'), run: () => store.refresh() };
  }

  function start() {
    setTrouble('');
    directory.startEmbedded().then(
      () => store.refresh(),
      error => setTrouble(nameServerNotice(conditionOfError(error), trans).reason)
    );
  }
}
