import React from 'react';

import type { IPart } from './part.js';

// What is longer than this begins folded.
const LINES = 4;
const LETTERS = 240;

/** A docstring; a long one begins folded to its first paragraph. */
export function Doc(props: { text: string; trans: IPart['trans'] }): React.JSX.Element | null {
  const { trans } = props;
  const [unfolded, setUnfolded] = React.useState(false);
  const text = props.text.trim();
  if (text === '') {
    return null;
  }
  const long = text.length > LETTERS || text.split('\n').length > LINES;
  const folded = long && !unfolded;
  const shown = folded ? text.split(/\n\s*\n/)[0] : text;
  return (
    <div className="pyronb-Doc">
      <div className={`pyronb-Doc-text${folded ? ' pyronb-mod-folded' : ''}`}>{shown}</div>
      {long && (
        <button type="button" className="pyronb-Link" aria-expanded={!folded} onClick={() => setUnfolded(!unfolded)}>
          {folded ? trans.__('Show more') : trans.__('Show less')}
        </button>
      )}
    </div>
  );
}
