import { closeIcon, searchIcon } from '@jupyterlab/ui-components';
import React from 'react';

import { IconButton } from './IconButton.js';

interface ISearchBoxProps {
  query: string;
  setQuery: (query: string) => void;
  /** What the box is called, what stands in it while it is empty, and what can be written into it. */
  label: string;
  placeholder: string;
  hint: string;
  /** What the button is called that empties it. */
  clearLabel: string;
  /** Moves the keyboard on to what was found. */
  onLeave?: () => void;
}

/** A box to search or filter with; the Escape key and a button empty it. */
export function SearchBox(props: ISearchBoxProps): React.JSX.Element {
  const { query, setQuery, label, placeholder, hint, clearLabel, onLeave } = props;
  const input = React.useRef<HTMLInputElement>(null);
  const clear = () => {
    setQuery('');
    input.current?.focus();
  };
  const onKeyDown = (event: React.KeyboardEvent) => {
    if (event.key === 'Escape' && query !== '') {
      event.preventDefault();
      event.stopPropagation();
      clear();
    } else if (onLeave && (event.key === 'ArrowDown' || event.key === 'Enter')) {
      event.preventDefault();
      onLeave();
    }
  };
  return (
    <div className="pyronb-Search-box">
      <searchIcon.react tag="span" className="pyronb-Search-icon" aria-hidden="true" />
      <input
        ref={input}
        className="pyronb-Search-input"
        type="search"
        spellCheck={false}
        value={query}
        placeholder={placeholder}
        aria-label={label}
        title={hint}
        onChange={event => setQuery(event.target.value)}
        onKeyDown={onKeyDown}
      />
      {query !== '' && <IconButton icon={closeIcon} label={clearLabel} onClick={clear} />}
    </div>
  );
}
