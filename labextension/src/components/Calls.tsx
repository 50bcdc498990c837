import { clearIcon, downloadIcon, launchIcon } from '@jupyterlab/ui-components';
import React from 'react';

import { callCode, formatBytes, formatClock, formatDuration, isBad, parseFilter, toneOfOutcome } from '../calls.js';
import { copyText } from '../clipboard.js';
import { visible } from '../format.js';
import type { CallDetails, CallRow, Outcome } from '../kernelmodels.js';
import { IconButton } from './IconButton.js';
import { attempt } from './Kernel.js';
import { KernelNotice } from './KernelNotice.js';
import { useKernel } from './kernelpart.js';
import type { IKernelPart } from './kernelpart.js';
import { SearchBox } from './SearchBox.js';

/** The log of the remote calls of the kernel of the notebook on view. */
export function Calls(part: IKernelPart): React.JSX.Element {
  const { watch, trans } = part;
  const state = useKernel(watch);
  const { presence, calls } = state;
  const [query, setQuery] = React.useState('');
  const [chosen, setChosen] = React.useState<number | null>(null);
  const found = React.useMemo(() => calls.rows.filter(parseFilter(query)), [calls.rows, query]);
  const slowest = React.useMemo(() => Math.max(...found.map(row => row.duration ?? 0), 1e-9), [found]);
  if (presence !== 'open') {
    return (
      <div className="pyronb-Section pyronb-mod-scroll">
        <KernelNotice {...part} state={state} />
      </div>
    );
  }
  return (
    <div className="pyronb-Section pyronb-CallLog">
      <Bar {...part} query={query} setQuery={setQuery} found={found.length} onClear={() => setChosen(null)} />
      {calls.rows.length === 0 ? (
        <p className="pyronb-Placeholder">
          {calls.recording
            ? trans.__('Recording. The next remote call of this notebook appears here.')
            : trans.__(
                'Off. Record shows each remote call that this notebook makes; while it is off it costs nothing.'
              )}
        </p>
      ) : found.length === 0 ? (
        <p className="pyronb-Placeholder">{trans.__('No call matches the filter.')}</p>
      ) : (
        <Rows {...part} rows={found} slowest={slowest} chosen={chosen} choose={setChosen} />
      )}
      {calls.dropped > 0 && (
        <div className="pyronb-Section-foot">
          {trans.__('%1 calls were recorded; the last %2 are kept.', calls.total, calls.rows.length)}
        </div>
      )}
    </div>
  );
}

interface IBarProps extends IKernelPart {
  query: string;
  setQuery: (query: string) => void;
  found: number;
  onClear: () => void;
}

/** Record, filter, clear, export. */
function Bar(props: IBarProps): React.JSX.Element {
  const { watch, trans, query, setQuery, found, onClear, openCalls } = props;
  const { recording, rows } = watch.state.calls;
  const save = async () => {
    const { calls } = await watch.ask('export');
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([JSON.stringify(calls, null, 2)], { type: 'application/json' }));
    link.download = 'pyronb-calls.json';
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  };
  const clear = async () => {
    await watch.ask('clear');
    onClear();
  };
  return (
    <div className="pyronb-Calls-bar" role="toolbar" aria-label={trans.__('Calls')}>
      <button
        type="button"
        className="pyronb-Button pyronb-Record"
        aria-pressed={recording}
        title={recording ? trans.__('Stop recording') : trans.__('Record the remote calls of this notebook')}
        onClick={() => attempt(watch.record(!recording))}
      >
        <span className="pyronb-Record-sign" aria-hidden="true" />
        {recording ? trans.__('Stop') : trans.__('Record')}
      </button>
      <SearchBox
        query={query}
        setQuery={setQuery}
        label={trans.__('Filter calls')}
        placeholder={trans.__('Filter')}
        hint={trans.__(
          'Words in the object, the call or the result; is:raised, is:batch, >50ms, >2kB; a minus before a word excludes it.'
        )}
        clearLabel={trans.__('Clear filter')}
      />
      <span className="pyronb-Search-count" role="status">
        {rows.length === 0 ? '' : found === rows.length ? `${found}` : trans.__('%1 of %2', found, rows.length)}
      </span>
      {openCalls && (
        <IconButton
          icon={launchIcon}
          label={trans.__('Open below the notebook')}
          title={trans.__('Open below the notebook, where there is more room')}
          onClick={openCalls}
        />
      )}
      <IconButton
        icon={downloadIcon}
        label={trans.__('Export calls as JSON')}
        disabled={rows.length === 0}
        onClick={() => attempt(save())}
      />
      <IconButton
        icon={clearIcon}
        label={trans.__('Forget all calls')}
        disabled={rows.length === 0}
        onClick={() => attempt(clear())}
      />
    </div>
  );
}

interface IRowsProps extends IKernelPart {
  rows: CallRow[];
  /** Seconds of the longest call on view, which has the longest bar. */
  slowest: number;
  chosen: number | null;
  choose: (number: number | null) => void;
}

/** The list: the newest is at its end, and stays on view unless the user has scrolled away from it. */
function Rows(props: IRowsProps): React.JSX.Element {
  const { trans, rows, chosen, choose, slowest } = props;
  const list = React.useRef<HTMLUListElement>(null);
  const atEnd = React.useRef(true);
  React.useLayoutEffect(() => {
    const element = list.current;
    if (element && atEnd.current && chosen === null) {
      element.scrollTop = element.scrollHeight;
    }
  }, [rows, chosen]);
  React.useLayoutEffect(() => {
    const details = list.current?.querySelector('.pyronb-Call-details');
    if (!details) {
      return;
    }
    // They grow once the kernel has told all of them.
    const observer = new ResizeObserver(() => bringIntoView(list.current!, details.parentElement!));
    observer.observe(details);
    return () => observer.disconnect();
  }, [chosen]);
  const onScroll = () => {
    const { scrollTop, scrollHeight, clientHeight } = list.current!;
    atEnd.current = scrollHeight - scrollTop - clientHeight < 8;
  };
  const onKeyDown = (event: React.KeyboardEvent) => {
    const heads = [...list.current!.querySelectorAll<HTMLElement>('.pyronb-Call-head')];
    const at = heads.indexOf(event.target as HTMLElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: heads.length - 1 }[event.key];
    if (at >= 0 && to !== undefined) {
      event.preventDefault();
      heads[Math.min(Math.max(to, 0), heads.length - 1)]?.focus();
    } else if (event.key === 'Escape' && chosen !== null) {
      event.stopPropagation();
      choose(null);
    }
  };
  const words = outcomeWords(trans);
  return (
    <ul
      className="pyronb-Calls-list"
      aria-label={trans.__('Remote calls, the oldest first')}
      ref={list}
      onScroll={onScroll}
      onKeyDown={onKeyDown}
    >
      {rows.map(row => (
        <li key={row.number} className="pyronb-Call" data-pyronb-outcome={row.outcome}>
          <Head
            row={row}
            word={words[row.outcome]}
            part={row.duration === null ? 0 : row.duration / slowest}
            open={row.number === chosen}
            choose={choose}
          />
          {row.number === chosen && <Details {...props} row={row} word={words[row.outcome]} />}
        </li>
      ))}
    </ul>
  );
}

/** Scrolls the list, and nothing around it; of a row with details that do not fit, the beginning is on view. */
function bringIntoView(list: HTMLElement, row: HTMLElement): void {
  const begin = list.getBoundingClientRect().top + list.clientTop;
  const { top, bottom } = row.getBoundingClientRect();
  const above = top - begin;
  const below = bottom - begin - list.clientHeight;
  if (above < 0 || below > 0) {
    list.scrollTop += Math.min(above, Math.max(below, 0));
  }
}

function outcomeWords(trans: IKernelPart['trans']): Record<Outcome, string> {
  return {
    pending: trans.__('pending'),
    returned: trans.__('returned'),
    raised: trans.__('raised'),
    failed: trans.__('failed'),
    sent: trans.__('sent'),
    streams: trans.__('streams')
  };
}

interface IHeadProps {
  row: CallRow;
  word: string;
  part: number;
  open: boolean;
  choose: (number: number | null) => void;
}

/** One line; wide panels show more of it. */
const Head = React.memo(function Head({ row, word, part, open, choose }: IHeadProps): React.JSX.Element {
  const call = visible(row.object + row.code.split('\n')[0]);
  return (
    <button
      type="button"
      className="pyronb-Call-head"
      aria-expanded={open}
      title={`${call}\n${visible(row.told)}`}
      onClick={() => choose(open ? null : row.number)}
    >
      <span className="pyronb-Call-time">{formatClock(row.began)}</span>
      <span className="pyronb-Status" data-pyronb-tone={toneOfOutcome(row.outcome)}>
        <span className="pyronb-Dot" aria-hidden="true" />
        <span className="pyronb-Call-word">{word}</span>
      </span>
      <code className="pyronb-Call-code">
        <span className="pyronb-Call-object">{visible(row.object)}</span>
        {visible(row.kind === 'batch' ? ` · ${row.method}` : row.code)}
      </code>
      <span className={`pyronb-Call-told${isBad(row.outcome) ? ' pyronb-mod-bad' : ''}`}>{visible(row.told)}</span>
      <span className="pyronb-Call-bytes">{formatBytes(row.sent + row.received)}</span>
      <span className="pyronb-Call-took">
        <span className="pyronb-Call-bar" aria-hidden="true" style={{ inlineSize: `${Math.max(2, part * 100)}%` }} />
        <span className="pyronb-Call-duration">{formatDuration(row.duration)}</span>
      </span>
    </button>
  );
});

/** All there is about one call; it is asked for when it is looked at, and again when the call is over. */
function Details(props: IKernelPart & { row: CallRow; word: string }): React.JSX.Element {
  const { watch, writer, trans, row, word } = props;
  const [details, setDetails] = React.useState<CallDetails | null>(null);
  const [failure, setFailure] = React.useState('');
  React.useEffect(() => {
    let current = true;
    watch.ask('call', { number: row.number }).then(
      answer => current && setDetails(answer.call as CallDetails),
      (error: Error) => current && setFailure(error.message)
    );
    return () => {
      current = false;
    };
  }, [watch, row.number, row.outcome]);
  const facts: Array<[string, React.ReactNode]> = [
    [trans.__('Began'), formatClock(row.began)],
    [trans.__('Took'), formatDuration(row.duration)],
    [trans.__('Sent'), formatBytes(row.sent)],
    [trans.__('Received'), formatBytes(row.received)]
  ];
  return (
    <div className="pyronb-Call-details" role="group" aria-label={trans.__('Details of the call')}>
      {failure && <p className="pyronb-Item-note">{failure}</p>}
      <dl className="pyronb-Facts">
        {facts.map(([term, value]) => (
          <React.Fragment key={term}>
            <dt>{term}</dt>
            <dd>{value}</dd>
          </React.Fragment>
        ))}
        <dt>{trans.__('Outcome')}</dt>
        <dd>
          <span className="pyronb-Status" data-pyronb-tone={toneOfOutcome(row.outcome)}>
            <span className="pyronb-Dot" aria-hidden="true" />
            {word}
          </span>
        </dd>
        {details && (
          <>
            <dt>{trans.__('Object')}</dt>
            <dd>
              <code className="pyronb-Facts-uri" title={details.uri}>
                {visible(details.uri)}
              </code>
            </dd>
          </>
        )}
      </dl>
      {details && (
        <>
          <Text title={trans.__('Call')} text={details.code.replace(/^\./, '')} />
          <Text title={trans.__('Result')} text={details.result} />
          <Text title={trans.__('Error')} text={details.error} bad />
          <Text title={trans.__('Traceback')} text={details.traceback} long />
          <div className="pyronb-Buttons">
            <button
              type="button"
              className="pyronb-Button"
              title={trans.__('Copy a cell that makes this call again')}
              onClick={() => copyText(callCode(details), trans)}
            >
              {trans.__('Copy as code')}
            </button>
            <button
              type="button"
              className="pyronb-Button"
              title={trans.__('Insert a cell that makes this call again')}
              onClick={() => void writer.insert(() => callCode(details), false)}
            >
              {trans.__('Insert')}
            </button>
          </div>
        </>
      )}
    </div>
  );
}

function Text(props: { title: string; text: string; bad?: boolean; long?: boolean }): React.JSX.Element | null {
  const id = React.useId();
  if (props.text === '') {
    return null;
  }
  return (
    <>
      <h4 id={id} className="pyronb-Call-title">
        {props.title}
      </h4>
      <pre
        className={`pyronb-Call-text${props.bad ? ' pyronb-mod-bad' : ''}${props.long ? ' pyronb-mod-long' : ''}`}
        aria-labelledby={id}
        // What can be scrolled has to be reached by the keyboard.
        tabIndex={props.long ? 0 : undefined}
        role={props.long ? 'region' : undefined}
      >
        {props.text}
      </pre>
    </>
  );
}
