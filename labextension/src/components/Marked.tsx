import React from 'react';

import type { Range } from '../search.js';

/** A text with the stretches that a search found marked. */
export function Marked(props: { text: string; ranges: Range[] }): React.JSX.Element {
  const { text, ranges } = props;
  const pieces: React.ReactNode[] = [];
  let at = 0;
  for (const { start, end } of ranges) {
    pieces.push(text.slice(at, start));
    pieces.push(
      <mark key={start} className="pyronb-Mark">
        {text.slice(start, end)}
      </mark>
    );
    at = end;
  }
  pieces.push(text.slice(at));
  return <>{pieces}</>;
}
