import { caretDownEmptyIcon, pauseIcon, refreshIcon, runIcon } from '@jupyterlab/ui-components';
import React from 'react';

import { isFine } from '../condition.js';
import { formatSpan } from '../format.js';
import type { PanelState } from '../state.js';
import { nameServerWord, toneOf } from '../wording.js';
import { sameRelease, VERSION } from '../version.js';
import { Dot } from './Dot.js';
import { useChanging, useNow, useStore } from './hooks.js';
import { IconButton } from './IconButton.js';
import { NameServers } from './NameServers.js';
import { Notice } from './Notice.js';
import type { IPart } from './part.js';

/** Which name server, how it is, from where it is seen, and how old the picture is. */
export function Header(part: IPart): React.JSX.Element {
  const { store, directory, trans } = part;
  const state = useStore(store);
  useChanging(directory.changed, () => directory.revision);
  const { known, choosing } = directory;
  const id = React.useId();
  const button = React.useRef<HTMLButtonElement>(null);
  const chose = React.useRef(false);
  React.useEffect(() => {
    // What had the keyboard may be gone with the list.
    if (!choosing && document.activeElement === document.body && chose.current) {
      button.current?.focus();
    }
    chose.current = choosing;
  }, [choosing]);
  const { condition, reply, refreshing, paused } = state;
  const address = store.address || reply?.nameserver.address || trans.__('No name server');
  const version = known?.version ?? reply?.version;
  const viewpoint = known?.viewpoint ?? reply?.viewpoint;
  const server = isFine(condition) ? (reply?.nameserver.server ?? '') : '';
  return (
    <div className="pyronb-Header">
      <div className="pyronb-Header-line">
        <button
          ref={button}
          type="button"
          className="pyronb-Header-address"
          aria-expanded={choosing}
          aria-controls={id}
          title={trans.__('Choose or add a name server')}
          onClick={() => directory.setChoosing(!choosing)}
        >
          <span className="pyronb-Header-text">{address}</span>
          <caretDownEmptyIcon.react tag="span" aria-hidden="true" />
        </button>
        <IconButton
          icon={paused ? runIcon : pauseIcon}
          label={paused ? trans.__('Go on') : trans.__('Pause')}
          title={paused ? trans.__('Follow changes again') : trans.__('Show no changes for now')}
          pressed={paused}
          onClick={() => store.setPaused(!paused)}
        />
        <IconButton
          className="pyronb-Refresh"
          icon={refreshIcon}
          label={trans.__('Refresh')}
          title={trans.__('Ask the name server now')}
          busy={refreshing}
          onClick={() => store.refresh()}
        />
      </div>
      <StateLine {...part} state={state} />
      {viewpoint && (
        <div className="pyronb-Header-viewpoint" title={[server, viewpoint].filter(Boolean).join('\n')}>
          {server ? trans.__('%1, seen from %2', server, viewpoint) : trans.__('seen from %1', viewpoint)}
        </div>
      )}
      {version !== undefined && !sameRelease(version, VERSION) && (
        <Notice
          kind="version-mismatch"
          tone="warning"
          wording={{
            title: trans.__('Two versions of pyronb meet here'),
            reason: trans.__('This page has %1, the Jupyter server has %2.', VERSION, version),
            hint: trans.__('Reload the page; if that does not help, install one version in both places.')
          }}
          action={{
            label: trans.__('Reload page'),
            run: () => window.location.reload()
          }}
        />
      )}
      <div id={id} hidden={!choosing}>
        {choosing && <NameServers {...part} />}
      </div>
    </div>
  );
}

/** The word for the state, how changes come, and when the last answer came. */
function StateLine({ trans, state }: IPart & { state: PanelState }): React.JSX.Element {
  const { condition, reply, updatedAt, active, paused } = state;
  const now = useNow(active);
  const fine = isFine(condition);
  const age = updatedAt === null ? '' : formatSpan(now - updatedAt);
  let told = '';
  if (paused) {
    told = age ? trans.__('paused, %1 old', age) : trans.__('paused');
  } else if (age) {
    told = fine && reply?.live ? trans.__('live · updated %1 ago', age) : trans.__('updated %1 ago', age);
  }
  return (
    <div className="pyronb-Header-line">
      <span role="status" className="pyronb-Header-state">
        <Dot tone={toneOf(condition.kind)} word={nameServerWord(condition.kind, trans)} />
      </span>
      <span className="pyronb-Header-updated">{told}</span>
    </div>
  );
}
