import { closeIcon, launchIcon, stopIcon } from '@jupyterlab/ui-components';
import { Notification } from '@jupyterlab/apputils';
import React from 'react';

import { formatLatency, formatSpan, visible } from '../format.js';
import type { KernelState } from '../kernel.js';
import type { CallbackRow, FutureRow, FutureState, ProgressRow, ProxyRow, ServedRow } from '../kernelmodels.js';
import type { Tone } from '../wording.js';
import { Dot } from './Dot.js';
import { useHeldOrder, useNow } from './hooks.js';
import { IconButton } from './IconButton.js';
import { KernelNotice } from './KernelNotice.js';
import { useKernel } from './kernelpart.js';
import type { IKernelPart } from './kernelpart.js';

/** The section about the kernel of the notebook on view: proxies, what it serves, futures, callbacks. */
export function Kernel(part: IKernelPart): React.JSX.Element {
  const { watch, trans } = part;
  const state = useKernel(watch);
  const { presence, notebook } = state;
  return (
    <div className="pyronb-Section pyronb-mod-scroll">
      {presence === 'open' ? (
        <div className="pyronb-Open">
          <Head state={state} trans={trans} />
          {notebook && (
            <>
              <Proxies {...part} rows={notebook.proxies} />
              <Served trans={trans} rows={notebook.served} nameserver={notebook.nameserver} />
              <Futures {...part} rows={notebook.futures} />
              <Callbacks trans={trans} rows={notebook.callbacks} />
            </>
          )}
        </div>
      ) : (
        <KernelNotice {...part} state={state} />
      )}
    </div>
  );
}

/** Which kernel, and how old the picture is while it is busy. */
function Head({ state, trans }: { state: KernelState; trans: IKernelPart['trans'] }): React.JSX.Element {
  const { title, busy, heardAt } = state;
  const now = useNow(busy);
  return (
    <div className="pyronb-Open-head">
      <span className="pyronb-Open-title" title={title}>
        {title}
      </span>
      <Dot tone={busy ? 'busy' : 'good'} word={busy ? trans.__('busy') : trans.__('idle')} />
      {busy && heardAt !== null && (
        <span className="pyronb-Open-age">{trans.__('as of %1 ago', formatSpan(now - heardAt))}</span>
      )}
    </div>
  );
}

/** A headed list; with nothing in it, a sentence says so. */
function List(props: {
  name: string;
  title: string;
  count: string;
  empty: string;
  events?: React.HTMLAttributes<HTMLUListElement>;
  children: React.ReactNode[];
}): React.JSX.Element {
  const id = React.useId();
  const { name, title, count, empty, events, children } = props;
  return (
    <section className="pyronb-Open-part" data-pyronb-part={name}>
      <h3 id={id} className="pyronb-Members-title">
        {title}
        {count && <span className="pyronb-Members-count">{count}</span>}
      </h3>
      {children.length > 0 ? (
        <ul className="pyronb-Open-list" aria-labelledby={id} {...events}>
          {children}
        </ul>
      ) : (
        <p className="pyronb-Open-empty">{empty}</p>
      )}
    </section>
  );
}

/** Does something with the kernel, and says so when it could not be done. */
export function attempt(what: Promise<unknown>): void {
  what.catch((error: Error) => Notification.error(error.message, { autoClose: 8000 }));
}

function Proxies(props: IKernelPart & { rows: ProxyRow[] }): React.JSX.Element {
  const { watch, trans, rows, openObject } = props;
  const open = rows.filter(row => row.connected).length;
  return (
    <List
      name="proxies"
      title={trans.__('Proxies')}
      count={rows.length > 0 ? trans.__('%1 of %2 connected', open, rows.length) : ''}
      empty={trans.__('No variable holds a proxy.')}
    >
      {rows.map(row => (
        <li key={row.variable} className="pyronb-Item" data-pyronb-variable={row.variable}>
          <div className="pyronb-Item-line">
            <code className="pyronb-Item-name">{row.variable}</code>
            <span className="pyronb-Item-what" title={`${row.name || ''}\n${row.uri}`.trim()}>
              {visible(row.name || row.uri)}
            </span>
            <span className="pyronb-Item-buttons">
              {/* What comes and goes stands first, so that nothing else moves into its place. */}
              {row.connected && !row.asyncio && (
                <IconButton
                  icon={closeIcon}
                  label={trans.__('Close the connection of %1', row.variable)}
                  onClick={() => attempt(watch.ask('release', { variable: row.variable }))}
                />
              )}
              {row.name && (
                <IconButton
                  icon={launchIcon}
                  label={trans.__('Open %1', row.name)}
                  onClick={() => openObject(row.name)}
                />
              )}
            </span>
          </div>
          <div className="pyronb-Item-line pyronb-Item-small">
            <Dot
              tone={row.connected ? 'good' : 'off'}
              word={row.connected ? trans.__('connected') : trans.__('not connected')}
            />
            <span>
              {[
                row.class_name.split('.').pop(),
                row.server,
                row.serializer,
                row.asyncio ? 'asyncio' : '',
                row.connected && row.latency !== null ? formatLatency(row.latency) : ''
              ]
                .filter(Boolean)
                .map(text => visible(text!))
                .join(' · ')}
            </span>
          </div>
        </li>
      ))}
    </List>
  );
}

function Served(props: { trans: IKernelPart['trans']; rows: ServedRow[]; nameserver: string }): React.JSX.Element {
  const { trans, rows, nameserver } = props;
  return (
    <List
      name="served"
      title={trans.__('Served from here')}
      count={rows.length > 0 ? `${rows.length}` : ''}
      empty={trans.__('This kernel serves nothing.')}
    >
      {[
        ...(nameserver
          ? [
              <li key="nameserver" className="pyronb-Item">
                <div className="pyronb-Item-line">
                  <span>{trans.__('a name server')}</span>
                  <code className="pyronb-Item-what">{nameserver}</code>
                </div>
              </li>
            ]
          : []),
        ...rows.map(row => (
          <li key={row.name} className="pyronb-Item" data-pyronb-served={row.name}>
            <div className="pyronb-Item-line">
              <code className="pyronb-Item-name">{visible(row.name)}</code>
              <span className="pyronb-Item-what" title={row.uri}>
                {visible(row.class_name)}
              </span>
            </div>
            <div className="pyronb-Item-line pyronb-Item-small">
              <Dot
                tone={row.registered ? 'good' : 'warning'}
                word={row.registered ? trans.__('registered') : trans.__('not registered')}
              />
            </div>
            {row.note && <p className="pyronb-Item-note">{row.note}</p>}
          </li>
        ))
      ]}
    </List>
  );
}

const FUTURE_TONES: Record<FutureState, Tone> = {
  pending: 'off',
  running: 'busy',
  done: 'good',
  failed: 'bad',
  cancelled: 'off'
};

function Futures(props: IKernelPart & { rows: FutureRow[] }): React.JSX.Element {
  const { watch, trans, rows } = props;
  const words: Record<FutureState, string> = {
    pending: trans.__('pending'),
    running: trans.__('running'),
    done: trans.__('done'),
    failed: trans.__('failed'),
    cancelled: trans.__('cancelled')
  };
  const outstanding = (row: FutureRow) => row.state === 'pending' || row.state === 'running';
  const sorted = [...rows.filter(outstanding), ...rows.filter(row => !outstanding(row))];
  // When one is over, the button of the next must not come under the pointer.
  const shown = useHeldOrder(sorted, row => row.where);
  const cancel = async (row: FutureRow) => {
    const { cancelled, running } = await watch.ask('cancel', { future: row.id });
    if (!cancelled) {
      Notification.info(
        running
          ? trans.__(
              'The call of %1 is under way and cannot be taken back. A pyronb daemon was told that nobody wants its result.',
              row.where
            )
          : trans.__('%1 is over already.', row.where),
        { autoClose: 6000 }
      );
    }
  };
  return (
    <List
      name="futures"
      title={trans.__('Futures')}
      count={rows.length > 0 ? trans.__('%1 of %2 outstanding', rows.filter(outstanding).length, rows.length) : ''}
      empty={trans.__('No variable holds a future.')}
      events={shown.events}
    >
      {shown.rows.map(row => (
        <li key={row.where} className="pyronb-Item" data-pyronb-future={row.where}>
          <div className="pyronb-Item-line">
            <code className="pyronb-Item-name">{visible(row.where)}</code>
            <Dot tone={FUTURE_TONES[row.state]} word={words[row.state]} />
            <code className="pyronb-Item-what" title={row.text}>
              {visible(row.text)}
            </code>
            <span className="pyronb-Item-buttons">
              {outstanding(row) && (
                <IconButton
                  icon={stopIcon}
                  label={trans.__('Cancel %1', row.where)}
                  onClick={() => attempt(cancel(row))}
                />
              )}
            </span>
          </div>
          {row.progress !== null && (outstanding(row) || shown.held) && (
            <Progress name={row.where} row={row.progress} trans={trans} />
          )}
        </li>
      ))}
    </List>
  );
}

/** How far a call is: a bar, or a count where there is no end to it, and what is being done. */
function Progress(props: { name: string; row: ProgressRow; trans: IKernelPart['trans'] }): React.JSX.Element {
  const { name, row, trans } = props;
  const { done, total, fraction, remaining, message } = row;
  const count = total === null ? `${round(done)}` : trans.__('%1 of %2', round(done), round(total));
  return (
    <div className="pyronb-Item-progress">
      <progress value={fraction ?? undefined} max={1} aria-label={trans.__('Progress of %1', name)} />
      <div className="pyronb-Item-line pyronb-Item-small">
        <span className="pyronb-Item-what">{visible(message)}</span>
        <span>{remaining === null ? count : `${count} · ${trans.__('%1 left', formatSpan(remaining * 1000))}`}</span>
      </div>
    </div>
  );
}

function round(number: number): number {
  return Number(number.toPrecision(4));
}

function Callbacks(props: { trans: IKernelPart['trans']; rows: CallbackRow[] }): React.JSX.Element {
  const { trans, rows } = props;
  const now = useNow(rows.length > 0);
  return (
    <List
      name="callbacks"
      title={trans.__('Callbacks')}
      count={rows.length > 0 ? `${rows.length}` : ''}
      empty={trans.__('Nothing in this kernel is called from elsewhere.')}
    >
      {rows.map((row, place) => (
        <li key={`${row.name} ${place}`} className="pyronb-Item" data-pyronb-callback={row.name}>
          <div className="pyronb-Item-line">
            <code className="pyronb-Item-name">{visible(row.name)}</code>
            <span className="pyronb-Item-what" title={row.to.join('\n')}>
              {visible(row.to.join(', '))}
            </span>
          </div>
          <div className="pyronb-Item-line pyronb-Item-small">
            {row.errors > 0 && <Dot tone="bad" word={trans._n('%1 error', '%1 errors', row.errors)} />}
            <span>
              {[
                trans._n('%1 call', '%1 calls', row.calls),
                row.last === null ? '' : trans.__('last %1 ago', formatSpan(now - row.last * 1000)),
                row.way
              ]
                .filter(Boolean)
                .join(' · ')}
            </span>
          </div>
        </li>
      ))}
    </List>
  );
}
