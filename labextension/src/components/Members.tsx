import React from 'react';

import type { AttributeModel, MethodModel } from '../models.js';
import { Doc } from './Doc.js';
import type { IPart } from './part.js';

type Trans = IPart['trans'];

/** A headed list; nothing at all when it would be empty. */
function List(props: { title: string; className: string; children: React.ReactNode[] }): React.JSX.Element | null {
  const id = React.useId();
  if (props.children.length === 0) {
    return null;
  }
  return (
    <section className={`pyronb-Members ${props.className}`}>
      <h3 id={id} className="pyronb-Members-title">
        {props.title}
        <span className="pyronb-Members-count">{props.children.length}</span>
      </h3>
      <ul aria-labelledby={id}>{props.children}</ul>
    </section>
  );
}

/** The exposed methods with their signatures. */
export function Methods(props: { methods: MethodModel[]; trans: Trans }): React.JSX.Element {
  const { methods, trans } = props;
  return (
    <List title={trans.__('Methods')} className="pyronb-Methods">
      {methods.map(({ name, signature, doc, oneway }) => (
        <li key={name} className="pyronb-Member" data-pyronb-member={name}>
          <code className="pyronb-Signature">
            <b>{name}</b>
            {signature}
          </code>
          {oneway && (
            <span className="pyronb-Badge" title={trans.__('A call returns at once and brings no result')}>
              {trans.__('oneway')}
            </span>
          )}
          <Doc text={doc} trans={trans} />
        </li>
      ))}
    </List>
  );
}

/** The exposed attributes with their types. */
export function Attributes(props: { attributes: AttributeModel[]; trans: Trans }): React.JSX.Element {
  const { attributes, trans } = props;
  return (
    <List title={trans.__('Attributes')} className="pyronb-Attributes">
      {attributes.map(({ name, type, doc, writable }) => (
        <li key={name} className="pyronb-Member" data-pyronb-member={name}>
          <code className="pyronb-Signature">
            <b>{name}</b>
            {type && `: ${type}`}
          </code>
          {writable !== null && (
            <span className="pyronb-Badge">{writable ? trans.__('writable') : trans.__('read-only')}</span>
          )}
          <Doc text={doc} trans={trans} />
        </li>
      ))}
    </List>
  );
}
