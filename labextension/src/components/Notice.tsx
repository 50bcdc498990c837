import React from 'react';

import type { Kind } from '../condition.js';
import type { Tone, Wording } from '../wording.js';

interface INoticeProps {
  /** What it is about, for style sheets and tests: a kind of condition, or another word. */
  kind: Kind | (string & {});
  tone: Tone;
  wording: Wording;
  /** A last line in small print, such as when the next try is due. */
  note?: string;
  action?: { label: string; run: () => void };
  /** Smaller, because there is something else to see besides. */
  compact?: boolean;
}

/** A state in words: what is the matter, why, what helps, and one button. */
export function Notice(props: INoticeProps): React.JSX.Element {
  const { kind, tone, wording, note, action, compact } = props;
  return (
    <div
      className={`pyronb-Notice${compact ? ' pyronb-mod-compact' : ''}`}
      data-pyronb-kind={kind}
      data-pyronb-tone={tone}
    >
      <div role="status">
        <div className="pyronb-Notice-title">{wording.title}</div>
        {wording.reason && (
          <p className="pyronb-Notice-reason">
            <Prose text={wording.reason} />
          </p>
        )}
        {wording.hint && (
          <p className="pyronb-Notice-hint">
            <Prose text={wording.hint} />
          </p>
        )}
      </div>
      {wording.code && <pre className="pyronb-Code">{wording.code}</pre>}
      <div className="pyronb-Notice-foot">
        {action && (
          <button type="button" className="pyronb-Button" onClick={action.run}>
            {action.label}
          </button>
        )}
        {note && <span className="pyronb-Notice-note">{note}</span>}
      </div>
    </div>
  );
}

/** A sentence in which `this` is code. */
function Prose({ text }: { text: string }): React.JSX.Element {
  const pieces = text.split(/`([^`]+)`/);
  return <>{pieces.map((piece, place) => (place % 2 ? <code key={place}>{piece}</code> : piece))}</>;
}
