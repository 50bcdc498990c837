import React from 'react';

import { visible } from '../format.js';
import type { Range } from '../search.js';

/** A foreign text with the stretches that a search found marked. */
export function Marked(props: { text: string; ranges: Range[] }): React.JSX.Element {
  const { text, ranges } = props;
  const pieces: React.ReactNode[] = [];
  let at = 0;
  for (const { start, end } of ranges) {
    pieces.push(visible(text.slice(at, start)));
    pieces.push(
      <mark key={start} className="pyronb-Mark">
        {visible(text.slice(start, end))}
      </mark>
    );
    at = end;
  }
  pieces.push(visible(text.slice(at)));
  return <>{pieces}</>;
}
