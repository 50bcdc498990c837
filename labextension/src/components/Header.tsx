import { refreshIcon } from '@jupyterlab/ui-components';
import React from 'react';

import { formatSpan } from '../format.js';
import { nameServerWord, toneOf } from '../wording.js';
import { sameRelease, VERSION } from '../version.js';
import { Dot } from './Dot.js';
import { useNow, useStore } from './hooks.js';
import { Notice } from './Notice.js';
import type { IPart } from './part.js';

/** Which name server, how it is, from where it is seen, and how old the picture is. */
export function Header({ store, trans }: IPart): React.JSX.Element {
  const { condition, reply, updatedAt, refreshing, active } = useStore(store);
  const now = useNow(active);
  const address = reply?.nameserver.address || trans.__('Name server');
  const server = reply?.nameserver.server ?? '';
  return (
    <div className="pyronb-Header">
      <div className="pyronb-Header-line">
        <span className="pyronb-Header-address" title={[address, server].filter(Boolean).join('\n')}>
          {address}
        </span>
        <button
          type="button"
          className="pyronb-IconButton pyronb-Refresh"
          aria-label={trans.__('Refresh')}
          title={trans.__('Ask the name server now')}
          aria-busy={refreshing}
          onClick={() => store.refresh()}
        >
          <refreshIcon.react tag="span" aria-hidden="true" />
        </button>
      </div>
      <div className="pyronb-Header-line">
        <span role="status" className="pyronb-Header-state">
          <Dot tone={toneOf(condition.kind)} word={nameServerWord(condition.kind, trans)} />
        </span>
        {updatedAt !== null && (
          <span className="pyronb-Header-updated">{trans.__('updated %1 ago', formatSpan(now - updatedAt))}</span>
        )}
      </div>
      {reply && (
        <div className="pyronb-Header-viewpoint" title={reply.viewpoint}>
          {trans.__('as seen from %1', reply.viewpoint)}
        </div>
      )}
      {reply && !sameRelease(reply.version, VERSION) && (
        <Notice
          kind="version-mismatch"
          tone="warning"
          wording={{
            title: trans.__('Two versions of pyronb meet here'),
            reason: trans.__('This page has %1, the Jupyter server has %2.', VERSION, reply.version),
            hint: trans.__('Reload the page; if that does not help, install one version in both places.')
          }}
          action={{
            label: trans.__('Reload page'),
            run: () => window.location.reload()
          }}
        />
      )}
    </div>
  );
}
