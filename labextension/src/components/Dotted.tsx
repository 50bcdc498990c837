import React from 'react';

import { visible } from '../format.js';

/** A dotted name that breaks over lines after its dots, when it must. */
export function Dotted({ text }: { text: string }): React.JSX.Element {
  return (
    <>
      {text.split(/(?<=\.)/).map((part, place) => (
        <React.Fragment key={place}>
          {place > 0 && <wbr />}
          {visible(part)}
        </React.Fragment>
      ))}
    </>
  );
}
