import { copyIcon } from '@jupyterlab/ui-components';
import React from 'react';

import { copyText } from '../clipboard.js';
import { isFine } from '../condition.js';
import { formatLatency } from '../format.js';
import type { PanelState } from '../state.js';
import { objectNotice, objectWord, toneOf } from '../wording.js';
import { Doc } from './Doc.js';
import { Dot } from './Dot.js';
import { Dotted } from './Dotted.js';
import { useStore } from './hooks.js';
import { IconButton } from './IconButton.js';
import { Attributes, Methods } from './Members.js';
import { Notice } from './Notice.js';
import type { IPart } from './part.js';

/** The section about the selected object. */
export function Details(part: IPart): React.JSX.Element {
  const { store, trans } = part;
  const state = useStore(store);
  const name = state.objectName;
  return (
    <div className="pyronb-Section pyronb-mod-scroll">
      {name === null ? (
        <p className="pyronb-Placeholder">{trans.__('Select an object to see its methods and attributes.')}</p>
      ) : (
        // A new object begins with its texts folded again, hence the key.
        <Card key={name} {...part} state={state} name={name} />
      )}
    </div>
  );
}

interface ICardProps extends IPart {
  state: PanelState;
  name: string;
}

/** What is known at once from the name server, then what the object itself told. */
function Card(props: ICardProps): React.JSX.Element {
  const { store, trans, state, name } = props;
  const { object, objectCondition } = state;
  const { kind, reason } = objectCondition;
  // Without its name server no object is found; that trouble is told above, and once is enough.
  const unasked = reason !== '' && reason === state.condition.reason && !isFine(state.condition);
  const latency = object?.latency ?? null;
  return (
    <article className="pyronb-Card" data-pyronb-object={name}>
      <h2 className="pyronb-Card-name" title={name}>
        <Dotted text={name} />
      </h2>
      <div className="pyronb-Card-state" role="status">
        {unasked ? (
          <Dot tone="off" word={trans.__('not asked: no name server')} />
        ) : (
          <Dot tone={toneOf(kind)} word={objectWord(kind, trans)} />
        )}
        {kind === 'ok' && latency !== null && (
          <span className="pyronb-Card-latency" title={trans.__('The time that connecting took')}>
            {formatLatency(latency)}
          </span>
        )}
      </div>
      <Buttons {...props} />
      {kind !== 'ok' && kind !== 'loading' && !unasked && (
        <Notice
          kind={kind}
          tone={toneOf(kind)}
          wording={objectNotice(objectCondition, trans)}
          compact
          action={{
            label: trans.__('Try again'),
            run: () => store.refresh()
          }}
        />
      )}
      <Facts {...props} />
      {object && (
        <>
          <Doc text={object.doc} trans={trans} />
          <Methods methods={object.methods} trans={trans} />
          <Attributes attributes={object.attributes} trans={trans} />
        </>
      )}
    </article>
  );
}

function Buttons({ store, actions, name }: ICardProps): React.JSX.Element {
  const target = store.target(name);
  return (
    <div className="pyronb-Buttons">
      {actions.all('card').map(action => (
        <button
          key={action.id}
          type="button"
          className={`pyronb-Button${action.primary ? ' pyronb-mod-accept' : ''}`}
          title={action.caption}
          disabled={!(action.isEnabled?.(target) ?? true)}
          onClick={() => void action.run(target)}
        >
          {action.label}
        </button>
      ))}
    </div>
  );
}

/** The short facts, as pairs of a word and a value. */
function Facts(props: ICardProps): React.JSX.Element {
  const { store, trans, state, name } = props;
  const { object } = state;
  const entry = store.entry(name);
  const uri = entry?.uri ?? object?.uri ?? '';
  const tags = entry?.tags ?? object?.tags ?? [];
  return (
    <dl className="pyronb-Facts">
      {uri && (
        <Fact field="uri" word={trans.__('URI')}>
          <code className="pyronb-Facts-uri" title={uri}>
            {uri}
          </code>
          <IconButton icon={copyIcon} label={trans.__('Copy URI')} onClick={() => copyText(uri, trans)} />
        </Fact>
      )}
      {object?.class_name && (
        <Fact field="class" word={trans.__('Class')}>
          <code>
            <Dotted text={object.class_name} />
          </code>
        </Fact>
      )}
      {object?.server && (
        <Fact field="server" word={trans.__('Server')}>
          {object.server}
        </Fact>
      )}
      {object?.serializer && (
        <Fact field="serializer" word={trans.__('Serializer')}>
          {object.serializer}
        </Fact>
      )}
      {tags.length > 0 && (
        <Fact field="tags" word={trans.__('Tags')}>
          {tags.map((tag, place) => (
            <span key={place} className="pyronb-Tag">
              {tag}
            </span>
          ))}
        </Fact>
      )}
    </dl>
  );
}

function Fact(props: { field: string; word: string; children: React.ReactNode }): React.JSX.Element {
  return (
    <>
      <dt>{props.word}</dt>
      <dd data-pyronb-field={props.field}>{props.children}</dd>
    </>
  );
}
