import React from 'react';

import type { IPart } from './part.js';
import { SearchBox } from './SearchBox.js';

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
  const all = found === total;
  return (
    <div className="pyronb-Search">
      <SearchBox
        query={query}
        setQuery={text => store.setQuery(text)}
        label={trans.__('Search objects')}
        placeholder={trans.__('Name, tag or URI')}
        hint={trans.__(
          'Any part of a name, a tag or a URI; * and ? stand for any letters; tag:word looks at tags alone. ' +
            'Press / to come here, Esc to clear.'
        )}
        clearLabel={trans.__('Clear search')}
        onLeave={enterTree}
      />
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
