import { closeIcon, stopIcon } from '@jupyterlab/ui-components';
import React from 'react';

import { conditionOfError } from '../condition.js';
import type { KnownModel } from '../models.js';
import { nameServerNotice } from '../wording.js';
import { useChanging } from './hooks.js';
import { IconButton } from './IconButton.js';
import type { IPart } from './part.js';

/** The list to choose a name server from, with a field to add one. */
export function NameServers(part: IPart): React.JSX.Element {
  const { directory, trans } = part;
  useChanging(directory.changed, () => directory.revision);
  const { known, address: chosen, recent } = directory;
  const [trouble, setTrouble] = React.useState('');
  const ids = { list: React.useId(), recent: React.useId() };

  /** Does something that may fail, and says so when it does. */
  const attempt = async (work: Promise<void>): Promise<boolean> => {
    setTrouble('');
    try {
      await work;
      return true;
    } catch (error) {
      const { title, reason } = nameServerNotice(conditionOfError(error), trans);
      setTrouble(reason || title);
      return false;
    }
  };
  const choose = (address: string) => {
    directory.choose(address);
    directory.setChoosing(false);
  };
  const mayStart = directory.mayChange && directory.embedded === '';
  return (
    <div
      className="pyronb-NameServers"
      onKeyDown={event => {
        if (event.key === 'Escape') {
          event.stopPropagation();
          directory.setChoosing(false);
        }
      }}
    >
      <h2 id={ids.list} className="pyronb-NameServers-title">
        {trans.__('Name servers')}
      </h2>
      <ul aria-labelledby={ids.list}>
        {known?.nameservers.map(server => (
          <li key={server.address} className="pyronb-NameServers-item">
            <button
              type="button"
              className="pyronb-NameServers-choice"
              aria-current={server.address === chosen ? 'true' : undefined}
              onClick={() => choose(server.address)}
            >
              <span className="pyronb-NameServers-address">{server.address}</span>
              <span className="pyronb-NameServers-origin">{originOf(server, trans)}</span>
            </button>
            {server.origin === 'added' && (
              <IconButton
                icon={closeIcon}
                label={trans.__('Remove %1 from the list', server.address)}
                onClick={() => void attempt(directory.forget(server.address))}
              />
            )}
            {server.origin === 'embedded' && directory.mayChange && (
              <IconButton
                icon={stopIcon}
                label={trans.__('Stop the name server at %1; its names are forgotten', server.address)}
                onClick={() => void attempt(directory.stopEmbedded())}
              />
            )}
          </li>
        ))}
      </ul>
      {known?.nameservers.length === 0 && <p className="pyronb-NameServers-none">{trans.__('There is none yet.')}</p>}
      {known?.may_add && recent.length > 0 && (
        <>
          <h3 id={ids.recent} className="pyronb-NameServers-title">
            {trans.__('Recent')}
          </h3>
          <ul aria-labelledby={ids.recent}>
            {recent.map(address => (
              <li key={address} className="pyronb-NameServers-item">
                <button
                  type="button"
                  className="pyronb-NameServers-choice"
                  title={trans.__('Add it again, and look at it')}
                  onClick={async () => {
                    if (await attempt(directory.add(address))) {
                      directory.setChoosing(false);
                    }
                  }}
                >
                  <span className="pyronb-NameServers-address">{address}</span>
                </button>
                <IconButton
                  icon={closeIcon}
                  label={trans.__('Forget %1', address)}
                  onClick={() => directory.forgetRecent(address)}
                />
              </li>
            ))}
          </ul>
        </>
      )}
      {known?.may_add ? (
        <AddForm {...part} attempt={attempt} />
      ) : (
        known && (
          <p className="pyronb-NameServers-none">
            {trans.__('Others can be added only in the configuration of the Jupyter server.')}
          </p>
        )
      )}
      <p role="alert" className="pyronb-NameServers-trouble">
        {trouble}
      </p>
      {mayStart && (
        <button
          type="button"
          className="pyronb-Button"
          title={trans.__('A name server for this machine alone, inside the Jupyter server; it ends with that')}
          onClick={async () => {
            if (await attempt(directory.startEmbedded())) {
              directory.setChoosing(false);
            }
          }}
        >
          {trans.__('Start a name server')}
        </button>
      )}
    </div>
  );
}

function AddForm(props: IPart & { attempt: (work: Promise<void>) => Promise<boolean> }): React.JSX.Element {
  const { directory, trans, attempt } = props;
  const [text, setText] = React.useState('');
  const input = React.useRef<HTMLInputElement>(null);
  React.useEffect(() => input.current?.focus({ preventScroll: true }), []);
  return (
    <form
      className="pyronb-NameServers-add"
      onSubmit={async event => {
        event.preventDefault();
        if (text.trim() !== '' && (await attempt(directory.add(text)))) {
          directory.setChoosing(false);
        }
      }}
    >
      <input
        ref={input}
        className="pyronb-Input"
        type="text"
        spellCheck={false}
        autoComplete="off"
        value={text}
        placeholder={trans.__('HOST:PORT')}
        aria-label={trans.__('Address of a name server')}
        title={trans.__('HOST, HOST:PORT, [IPV6]:PORT or ./u:PATH, as the Jupyter server reaches it')}
        onChange={event => setText(event.target.value)}
      />
      <button type="submit" className="pyronb-Button" disabled={text.trim() === ''}>
        {trans.__('Add')}
      </button>
    </form>
  );
}

function originOf({ origin, default: byDefault }: KnownModel, trans: IPart['trans']): string {
  if (origin === 'embedded') {
    return trans.__('in the Jupyter server');
  }
  if (origin === 'added') {
    return trans.__('added');
  }
  return byDefault ? trans.__('default') : trans.__('configured');
}
