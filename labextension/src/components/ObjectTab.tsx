import { copyIcon, refreshIcon } from '@jupyterlab/ui-components';
import React from 'react';

import { copyText } from '../clipboard.js';
import { formatLatency, formatSpan, visible } from '../format.js';
import { INTERVALS, lineOf } from '../livevalues.js';
import type { LiveState, Point, Reading } from '../livevalues.js';
import type { AttributeModel, MethodModel } from '../models.js';
import type { ITabHost } from '../objecttab.js';
import type { ObjectView, ObjectViewState } from '../objectview.js';
import { argumentsText, FieldError, fieldsOf, shownInitial } from '../signature.js';
import type { Field, Values } from '../signature.js';
import { objectNotice, objectWord, toneOf } from '../wording.js';
import { Doc } from './Doc.js';
import { Dot } from './Dot.js';
import { Dotted } from './Dotted.js';
import { useNow } from './hooks.js';
import { IconButton } from './IconButton.js';
import { useKernel } from './kernelpart.js';
import { Notice } from './Notice.js';

export interface IObjectTabProps extends ITabHost {
  view: ObjectView;
}

/** What emits `changed` and has a state; draws again when it changes. */
function useChanging<S>(thing: {
  state: S;
  changed: { connect(draw: () => void): unknown; disconnect(draw: () => void): unknown };
}): S {
  const subscribe = React.useCallback(
    (draw: () => void) => {
      thing.changed.connect(draw);
      return () => void thing.changed.disconnect(draw);
    },
    [thing]
  );
  return React.useSyncExternalStore(subscribe, () => thing.state);
}

/** One object in the main area: who it is, its methods with a form for calls, its attributes with their values. */
export function ObjectTab(props: IObjectTabProps): React.JSX.Element {
  const { view, trans } = props;
  const state = useChanging(view);
  const { object, condition } = state;
  return (
    <div className="pyronb-Tab" data-pyronb-object={view.target.name}>
      <Head {...props} state={state} />
      {condition.kind !== 'ok' && condition.kind !== 'loading' && (
        <Notice
          kind={condition.kind}
          tone={toneOf(condition.kind)}
          wording={objectNotice(condition, trans)}
          action={{ label: trans.__('Try again'), run: () => void view.refresh() }}
        />
      )}
      {object && condition.kind === 'ok' && (
        <div className="pyronb-Tab-columns">
          <Methods {...props} methods={object.methods} />
          <Attributes {...props} attributes={object.attributes} />
        </div>
      )}
    </div>
  );
}

function Head(props: IObjectTabProps & { state: ObjectViewState }): React.JSX.Element {
  const { view, insertion, trans, state } = props;
  const { target } = view;
  const { object, condition, toldAt, asking } = state;
  const now = useNow(toldAt !== null);
  const facts: Array<[string, string, React.ReactNode]> = [];
  const add = (field: string, word: string, value: string | undefined) => {
    if (value) {
      facts.push([field, word, visible(value)]);
    }
  };
  add('server', trans.__('Server'), object?.server);
  add('serializer', trans.__('Serializer'), object?.serializer);
  add('nameserver', trans.__('Name server'), target.address);
  if (toldAt !== null) {
    facts.push(['told', trans.__('Told'), trans.__('%1 ago', formatSpan(now - toldAt))]);
  }
  return (
    <div className="pyronb-Tab-head">
      <div className="pyronb-Tab-titleline">
        <h1 className="pyronb-Tab-title" title={target.name}>
          <Dotted text={target.name} />
        </h1>
        <span role="status">
          <Dot tone={toneOf(condition.kind)} word={objectWord(condition.kind, trans)} />
        </span>
        {typeof object?.latency === 'number' && condition.kind === 'ok' && (
          <span className="pyronb-Card-latency" title={trans.__('The time that connecting took')}>
            {formatLatency(object.latency)}
          </span>
        )}
        <IconButton
          icon={refreshIcon}
          label={trans.__('Ask the object again')}
          className="pyronb-Refresh"
          busy={asking}
          onClick={() => void view.refresh()}
        />
      </div>
      {object?.class_name && (
        <div className="pyronb-Tab-class">
          <code>
            <Dotted text={object.class_name} />
          </code>
        </div>
      )}
      {object && <Doc text={object.doc} trans={trans} />}
      <div className="pyronb-Tab-line">
        <div className="pyronb-Buttons">
          <button
            type="button"
            className="pyronb-Button pyronb-mod-accept"
            title={trans.__('Insert a cell that connects to this object')}
            onClick={() => void insertion.insert(target, insertion.runAfterInsert)}
          >
            {trans.__('Insert')}
          </button>
          <button
            type="button"
            className="pyronb-Button"
            title={trans.__('Insert a cell that connects to this object, and run it')}
            onClick={() => void insertion.insert(target, true)}
          >
            {trans.__('Insert and run')}
          </button>
          <button
            type="button"
            className="pyronb-Button"
            title={trans.__('Copy the code that connects to this object')}
            onClick={() => insertion.copyCode({ ...target, uri: object?.uri ?? '', tags: object?.tags ?? [] })}
          >
            {trans.__('Copy code')}
          </button>
        </div>
        <Viewpoint {...props} />
      </div>
      <dl className="pyronb-Tab-facts">
        {object?.uri && (
          <div data-pyronb-field="uri">
            <dt>{trans.__('URI')}</dt>
            <dd>
              <code title={object.uri}>{visible(object.uri)}</code>
              <IconButton icon={copyIcon} label={trans.__('Copy URI')} onClick={() => copyText(object.uri, trans)} />
            </dd>
          </div>
        )}
        {facts.map(([field, word, value]) => (
          <div key={field} data-pyronb-field={field}>
            <dt>{word}</dt>
            <dd>{value}</dd>
          </div>
        ))}
        {object && object.tags.length > 0 && (
          <div data-pyronb-field="tags">
            <dt>{trans.__('Tags')}</dt>
            <dd>
              {object.tags.map(tag => (
                <span key={tag} className="pyronb-Tag">
                  {visible(tag)}
                </span>
              ))}
            </dd>
          </div>
        )}
      </dl>
    </div>
  );
}

/** From where the object is asked: the Jupyter server, or the kernel where a variable holds its proxy. */
function Viewpoint({ view, watch, trans }: IObjectTabProps): React.JSX.Element {
  const { variable, object } = useChanging(view);
  const { notebook, title } = useKernel(watch);
  const id = React.useId();
  const proxies = (notebook?.proxies ?? []).filter(
    row => row.name === view.target.name || (object?.uri !== undefined && row.uri === object.uri)
  );
  const gone = variable !== null && !proxies.some(row => row.variable === variable);
  return (
    <div className="pyronb-Tab-viewpoint">
      <label htmlFor={id}>{trans.__('as seen from')}</label>
      <select
        id={id}
        className="pyronb-Select"
        value={variable ?? ''}
        onChange={event => view.seeThrough(event.target.value || null)}
      >
        <option value="">{trans.__('the Jupyter server')}</option>
        {proxies.map(row => (
          <option key={row.variable} value={row.variable}>
            {trans.__('%1 in %2', row.variable, title)}
          </option>
        ))}
        {gone && <option value={variable}>{trans.__('%1, which is not on view', variable)}</option>}
      </select>
    </div>
  );
}

function Part(props: {
  name: string;
  title: string;
  count: number;
  empty: string;
  extra?: React.ReactNode;
  children: React.ReactNode[];
}): React.JSX.Element {
  const id = React.useId();
  return (
    <section className="pyronb-Tab-part" data-pyronb-part={props.name} aria-labelledby={id}>
      <div className="pyronb-Members-title">
        <h2 id={id} className="pyronb-Tab-heading">
          {props.title}
        </h2>
        <span className="pyronb-Members-count">{props.count}</span>
        {props.extra}
      </div>
      {props.count > 0 ? (
        <ul className="pyronb-Open-list">{props.children}</ul>
      ) : (
        <p className="pyronb-Open-empty">{props.empty}</p>
      )}
    </section>
  );
}

// Methods

function Methods(props: IObjectTabProps & { methods: MethodModel[] }): React.JSX.Element {
  const { trans, methods } = props;
  return (
    <Part
      name="methods"
      title={trans.__('Methods')}
      count={methods.length}
      empty={trans.__('The object exposes no methods.')}
    >
      {methods.map(method => (
        <Method key={method.name} {...props} method={method} />
      ))}
    </Part>
  );
}

function Method(props: IObjectTabProps & { method: MethodModel }): React.JSX.Element {
  const { trans, method } = props;
  const { name, signature, doc, oneway } = method;
  const [open, setOpen] = React.useState(false);
  const id = React.useId();
  return (
    <li className="pyronb-Item pyronb-Method" data-pyronb-member={name}>
      <div className="pyronb-Method-line">
        <code className="pyronb-Signature">
          <b>{visible(name)}</b>
          {visible(signature)}
          {oneway && (
            <span className="pyronb-Badge" title={trans.__('A call returns at once and brings no result')}>
              {trans.__('oneway')}
            </span>
          )}
        </code>
        <button
          type="button"
          className="pyronb-Button"
          aria-expanded={open}
          aria-controls={id}
          aria-label={trans.__('Call %1', name)}
          title={trans.__('Write a cell that calls this method')}
          onClick={() => setOpen(!open)}
        >
          {trans.__('Call…')}
        </button>
      </div>
      <Doc text={doc} trans={trans} />
      <div id={id}>{open && <Form {...props} />}</div>
    </li>
  );
}

/** The form for a call. It only ever makes a cell; what runs, the user runs. */
function Form(props: IObjectTabProps & { method: MethodModel }): React.JSX.Element {
  const { view, insertion, trans, method } = props;
  const [values, setValues] = React.useState<Values>({});
  const fields = React.useMemo(() => fieldsOf(method.signature), [method.signature]);
  const form = React.useRef<HTMLFormElement>(null);
  React.useEffect(() => {
    form.current?.querySelector<HTMLElement>('input, select')?.focus();
  }, []);
  let text = '';
  let problem: FieldError | null = null;
  try {
    text = argumentsText(fields, values);
  } catch (error) {
    if (!(error instanceof FieldError)) {
      throw error;
    }
    problem = error;
  }
  const call = (variable: string) => `${variable}.${method.name}(${text})`;
  const insert = (run: boolean) => void insertion.insertUse(view.target, call, run);
  const touched = Object.keys(values).length > 0;
  return (
    <form
      className="pyronb-Form"
      ref={form}
      onSubmit={event => {
        event.preventDefault();
        if (!problem) {
          insert(insertion.runAfterInsert);
        }
      }}
    >
      {fields.map(field => (
        <Input
          key={field.name}
          field={field}
          value={values[field.name] ?? shownInitial(field)}
          wrong={touched && problem?.field === field.name}
          setValue={value => setValues({ ...values, [field.name]: value })}
          trans={trans}
        />
      ))}
      <pre className="pyronb-Code">{problem ? `${method.name}(…)` : insertion.useCode(view.target, call)}</pre>
      {problem && (touched || problem.problem !== 'missing') && (
        <p className="pyronb-Form-problem" role="alert">
          {problemText(problem, trans)}
        </p>
      )}
      <div className="pyronb-Buttons">
        <button type="submit" className="pyronb-Button pyronb-mod-accept" disabled={problem !== null}>
          {trans.__('Insert')}
        </button>
        <button type="button" className="pyronb-Button" disabled={problem !== null} onClick={() => insert(true)}>
          {trans.__('Insert and run')}
        </button>
        <button
          type="button"
          className="pyronb-Button"
          disabled={problem !== null}
          onClick={() => copyText(insertion.useCode(view.target, call), trans)}
        >
          {trans.__('Copy code')}
        </button>
      </div>
    </form>
  );
}

function problemText({ field, problem }: FieldError, trans: ITabHost['trans']): string {
  switch (problem) {
    case 'missing':
      return trans.__('%1: a value is needed.', field);
    case 'whole':
      return trans.__('%1: a whole number is needed.', field);
    case 'number':
      return trans.__('%1: a number is needed.', field);
    case 'position':
      return trans.__('%1: it has no name over there, so all fields before it need a value.', field);
    default:
      return trans.__('%1: this is no expression; a bracket or a text is left open, or closed too early.', field);
  }
}

function Input(props: {
  field: Field;
  value: string;
  wrong: boolean;
  setValue: (value: string) => void;
  trans: ITabHost['trans'];
}): React.JSX.Element {
  const { field, value, wrong, setValue, trans } = props;
  const { name, kind, annotation, initial, choices } = field;
  const id = React.useId();
  const hints: Partial<Record<Field['kind'], string>> = {
    value: initial === null ? trans.__('an expression, such as 1, "text" or [1, 2]') : initial,
    more: trans.__('as in a call, such as 1, "two", three=3')
  };
  const common = { id, 'aria-invalid': wrong || undefined };
  return (
    <div className="pyronb-Form-field">
      <label htmlFor={id}>
        <code>{visible(name)}</code>
        {annotation && <span className="pyronb-Form-type">{visible(annotation)}</span>}
      </label>
      {kind === 'truth' ? (
        <input
          {...common}
          type="checkbox"
          checked={value === 'True'}
          onChange={event => setValue(event.target.checked ? 'True' : 'False')}
        />
      ) : kind === 'choice' ? (
        <select {...common} className="pyronb-Select" value={value} onChange={event => setValue(event.target.value)}>
          {choices.map(choice => (
            <option key={choice} value={choice}>
              {visible(choice)}
            </option>
          ))}
        </select>
      ) : (
        <input
          {...common}
          type="text"
          className="pyronb-Input"
          inputMode={kind === 'whole' ? 'numeric' : kind === 'number' ? 'decimal' : undefined}
          spellCheck={false}
          autoComplete="off"
          placeholder={hints[kind]}
          value={value}
          onChange={event => setValue(event.target.value)}
        />
      )}
    </div>
  );
}

// Attributes

function Attributes(props: IObjectTabProps & { attributes: AttributeModel[] }): React.JSX.Element {
  const { view, trans, attributes } = props;
  const { live } = view;
  const state = useChanging(live);
  const id = React.useId();
  const interval = (
    <span className="pyronb-Tab-interval">
      <label htmlFor={id}>{trans.__('pinned: every')}</label>
      <select
        id={id}
        className="pyronb-Select"
        value={state.interval}
        onChange={event => live.setInterval(Number(event.target.value))}
      >
        {INTERVALS.map(seconds => (
          <option key={seconds} value={seconds}>
            {trans.__('%1 s', seconds)}
          </option>
        ))}
      </select>
    </span>
  );
  return (
    <Part
      name="attributes"
      title={trans.__('Attributes')}
      count={attributes.length}
      empty={trans.__('The object exposes no attributes.')}
      extra={attributes.length > 0 && interval}
    >
      {[
        state.trouble && (
          <li key="" className="pyronb-Tab-trouble" role="alert">
            {state.trouble}
          </li>
        ),
        ...attributes.map(attribute => (
          <Attribute key={attribute.name} {...props} attribute={attribute} state={state} />
        ))
      ]}
    </Part>
  );
}

function Attribute(props: IObjectTabProps & { attribute: AttributeModel; state: LiveState }): React.JSX.Element {
  const { view, trans, attribute, state } = props;
  const { live } = view;
  const { name, type, doc, writable } = attribute;
  const pinned = state.pinned.includes(name);
  const reading = state.readings.get(name);
  return (
    <li className="pyronb-Item pyronb-Attribute" data-pyronb-member={name}>
      <div className="pyronb-Method-line">
        <code className="pyronb-Signature">
          <b>{visible(name)}</b>
          {type && `: ${visible(type)}`}
          {writable !== null && (
            <span className="pyronb-Badge">{writable ? trans.__('writable') : trans.__('read-only')}</span>
          )}
        </code>
        <button
          type="button"
          className="pyronb-Button"
          aria-label={trans.__('Read %1', name)}
          title={trans.__('Read it now; that runs code of the object')}
          disabled={state.reading.includes(name) && !pinned}
          onClick={() => void live.read(name)}
        >
          {trans.__('Read')}
        </button>
        <button
          type="button"
          className="pyronb-Button pyronb-Pin"
          aria-pressed={pinned}
          aria-label={trans.__('Pin %1', name)}
          title={trans.__('Read it again and again while this tab is on view')}
          onClick={() => live.pin(name, !pinned)}
        >
          {trans.__('Pin')}
        </button>
      </div>
      <Doc text={doc} trans={trans} />
      {reading && <Value name={name} reading={reading} trans={trans} />}
    </li>
  );
}

function Value(props: { name: string; reading: Reading; trans: ITabHost['trans'] }): React.JSX.Element {
  const { name, reading, trans } = props;
  const { text, error, at, points } = reading;
  return (
    <div className="pyronb-Value">
      <div className="pyronb-Value-line">
        <code className={error ? 'pyronb-mod-bad' : 'pyronb-Value-text'}>{visible(error || text)}</code>
        <time className="pyronb-Value-time">{new Date(at).toLocaleTimeString()}</time>
      </div>
      {points.length > 1 && <Plot name={name} points={points} trans={trans} />}
    </div>
  );
}

const WIDTH = 300;
const HEIGHT = 48;

/** The numbers that were read, over time. */
function Plot(props: { name: string; points: readonly Point[]; trans: ITabHost['trans'] }): React.JSX.Element {
  const { name, points, trans } = props;
  const { line, low, high } = lineOf(points, WIDTH, HEIGHT);
  const span = formatSpan(points[points.length - 1].at - points[0].at);
  const [least, most] = [low, high].map(number => Number(number.toPrecision(5)).toString());
  return (
    <figure className="pyronb-Plot">
      <svg
        viewBox={`0 -2 ${WIDTH} ${HEIGHT + 4}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={trans.__('%1 over the last %2, from %3 to %4', name, span, least, most)}
      >
        <polyline points={line} vectorEffect="non-scaling-stroke" />
      </svg>
      <figcaption>
        <span>{most}</span>
        <span>{least}</span>
      </figcaption>
      <span className="pyronb-Plot-span">{span}</span>
    </figure>
  );
}
