import { closeIcon, searchIcon } from '@jupyterlab/ui-components';
import React from 'react';

import type { IPart } from './part.js';

interface ISearchProps extends IPart {
  query: string;
  /** How many names match, and exist. */
  found: number;
  total: number;
  /** Moves the keyboard into the tree. */
  enterTree: () => void;
}

/** The search box and the count beside it. */
export function Search(props: ISearchProps): React.JSX.Element {
  const { store, trans, query, found, total, enterTree } = props;
  const input = React.useRef<HTMLInputElement>(null);
  const clear = () => {
    store.setQuery('');
    input.current?.focus();
  };
  const onKeyDown = (event: React.KeyboardEvent) => {
    if (event.key === 'Escape' && query !== '') {
      event.preventDefault();
      event.stopPropagation();
      clear();
    } else if (event.key === 'ArrowDown' || event.key === 'Enter') {
      event.preventDefault();
      enterTree();
    }
  };
  const all = found === total;
  return (
    <div className="pyronb-Search">
      <div className="pyronb-Search-box">
        <searchIcon.react tag="span" className="pyronb-Search-icon" aria-hidden="true" />
        <input
          ref={input}
          className="pyronb-Search-input"
          type="search"
          spellCheck={false}
          value={query}
          placeholder={trans.__('Name, tag or URI')}
          aria-label={trans.__('Search objects')}
          title={trans.__(
            'Any part of a name, a tag or a URI; * and ? stand for any letters; tag:word looks at tags alone. ' +
              'Press / to come here, Esc to clear.'
          )}
          onChange={event => store.setQuery(event.target.value)}
          onKeyDown={onKeyDown}
        />
        {query !== '' && (
          <button
            type="button"
            className="pyronb-IconButton"
            aria-label={trans.__('Clear search')}
            title={trans.__('Clear search')}
            onClick={clear}
          >
            <closeIcon.react tag="span" aria-hidden="true" />
          </button>
        )}
      </div>
      <span className="pyronb-Search-count" role="status">
        {total === 0
          ? ''
          : query === '' && all
            ? trans._n('%1 name', '%1 names', total)
            : trans.__('%1 of %2', found, total)}
      </span>
    </div>
  );
}
