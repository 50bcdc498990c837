import React from 'react';

import type { Tone } from '../wording.js';

/** A coloured dot and the word that says the same, for those who don't see the colour. */
export function Dot(props: { tone: Tone; word: string }): React.JSX.Element {
  return (
    <span className="pyronb-Status" data-pyronb-tone={props.tone}>
      <span className="pyronb-Dot" aria-hidden="true" />
      <span className="pyronb-Status-word">{props.word}</span>
    </span>
  );
}
