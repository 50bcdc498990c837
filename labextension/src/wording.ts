/** The words for a condition: all in one place, each literal, so that they can be collected for translation. */

import type { TranslationBundle } from '@jupyterlab/translation';

import type { Condition, Kind } from './condition.js';

/** The colour of a dot; the word beside it says the same. */
export type Tone = 'good' | 'busy' | 'warning' | 'bad' | 'off';

const TONES: Record<Kind, Tone> = {
  loading: 'busy',
  ok: 'good',
  empty: 'good',
  unconfigured: 'off',
  unreachable: 'bad',
  refused: 'bad',
  'wrong-version': 'warning',
  unknown: 'warning',
  error: 'bad',
  'no-extension': 'bad',
  forbidden: 'bad',
  network: 'bad',
  'bad-reply': 'bad',
  'unknown-nameserver': 'bad',
  checking: 'busy'
};

export function toneOf(kind: Kind): Tone {
  return TONES[kind];
}

/** The word beside the dot of the name server. */
export function nameServerWord(kind: Kind, trans: TranslationBundle): string {
  const words: Record<Kind, string> = {
    loading: trans.__('connecting'),
    ok: trans.__('connected'),
    empty: trans.__('connected'),
    unconfigured: trans.__('not configured'),
    unreachable: trans.__('unreachable'),
    refused: trans.__('refused'),
    'wrong-version': trans.__('wrong version'),
    unknown: trans.__('unknown'),
    error: trans.__('error'),
    'no-extension': trans.__('not enabled'),
    forbidden: trans.__('not logged in'),
    network: trans.__('offline'),
    'bad-reply': trans.__('unexpected reply'),
    'unknown-nameserver': trans.__('not allowed'),
    checking: trans.__('checking')
  };
  return words[kind];
}

/** The word beside the dot of an object. */
export function objectWord(kind: Kind, trans: TranslationBundle): string {
  switch (kind) {
    case 'ok':
      return trans.__('reachable');
    case 'unknown':
      return trans.__('not registered');
    case 'loading':
      return trans.__('checking');
    default:
      return nameServerWord(kind, trans);
  }
}

/** What a notice says. */
export interface Wording {
  title: string;
  /** Why. */
  reason: string;
  /** What to do. */
  hint: string;
  /** Code that helps, shown in a box with a button that copies it. */
  code?: string;
}

const ENABLE = 'jupyter server extension enable pyronb';

/** What registers an object at a name server; an empty address stands for the one that code finds by itself. */
function registering(address: string): string {
  const [, host, port] = /^(.*):(\d+)$/.exec(address) ?? [];
  const where = host === undefined ? address && `"${address}"` : `"${host.replace(/^\[|\]$/g, '')}", ${port}`;
  return [
    'daemon = pyronb.Daemon()',
    'uri = daemon.register(thing)',
    `pyronb.locateNS(${where}).register("demo.thing", uri)`,
    'daemon.requestLoop()'
  ].join('\n');
}

/**
 * The notice of the name server's condition; what the other side said comes first. The address is that for code, empty
 * when code finds the name server by itself.
 */
export function nameServerNotice({ kind, reason, hint }: Condition, trans: TranslationBundle, address = ''): Wording {
  const own = ownNotice(kind, trans, address);
  // What a browser or a check says in a few words stands beside our sentence, and not in its place.
  const brief = kind === 'network' || kind === 'bad-reply';
  const said = brief && reason ? `${own.reason} (${reason})` : reason;
  return { ...own, reason: said || own.reason, hint: hint || own.hint };
}

function ownNotice(kind: Kind, trans: TranslationBundle, address = ''): Wording {
  switch (kind) {
    case 'loading':
      return {
        title: trans.__('Asking the name server…'),
        reason: trans.__('The Jupyter server has not answered yet.'),
        hint: ''
      };
    case 'ok':
    case 'empty':
      return {
        title: trans.__('The name server knows no objects yet'),
        reason: trans.__('It answers, but nothing is registered.'),
        hint: trans.__('Register an object, and it appears here by itself. In the program that owns it:'),
        code: registering(address)
      };
    case 'unconfigured':
      return {
        title: trans.__('No name server is configured'),
        reason: trans.__('The Jupyter server does not know which name server to ask.'),
        hint: trans.__('Add one in this panel, or name one in the configuration of pyronb.')
      };
    case 'unreachable':
      return {
        title: trans.__('The name server cannot be reached'),
        reason: trans.__('Nothing answers at its address.'),
        hint: ''
      };
    case 'refused':
      return {
        title: trans.__('The name server refused'),
        reason: trans.__('It answers, but does not let pyronb in.'),
        hint: ''
      };
    case 'wrong-version':
      return {
        title: trans.__('The name server speaks another protocol'),
        reason: trans.__('What answers there cannot be understood.'),
        hint: ''
      };
    case 'no-extension':
      return {
        title: trans.__('The server part of pyronb is not enabled'),
        reason: trans.__(
          'The Jupyter server does not know pyronb, or an older version of it, so that nobody can ask the name server.'
        ),
        hint: trans.__('Run this where the Jupyter server runs, and start it again:'),
        code: ENABLE
      };
    case 'forbidden':
      return {
        title: trans.__('The Jupyter server wants you to log in again'),
        reason: trans.__('It refused the request of this page.'),
        hint: ''
      };
    case 'network':
      return {
        title: trans.__('The Jupyter server does not answer'),
        reason: trans.__('The connection to it is broken.'),
        hint: trans.__('Is it still running? The panel goes on trying.')
      };
    case 'bad-reply':
      return {
        title: trans.__('The Jupyter server sent something unexpected'),
        reason: trans.__('Its answer is not what this page expects.'),
        hint: trans.__(
          'Are the front end and the Python package of one version? A proxy in between may also be the cause.'
        )
      };
    case 'unknown-nameserver':
      return {
        title: trans.__('This name server may not be asked'),
        reason: trans.__('The Jupyter server allows only the name servers of its configuration.'),
        hint: trans.__('Choose another one, or have it added there.')
      };
    default:
      return {
        title: trans.__('Something went wrong'),
        reason: '',
        hint: ''
      };
  }
}

/** The notice of an object's condition. */
export function objectNotice({ kind, reason, hint }: Condition, trans: TranslationBundle): Wording {
  const titles: Partial<Record<Kind, string>> = {
    unreachable: trans.__('The object cannot be reached'),
    refused: trans.__('The object refused'),
    'wrong-version': trans.__('The object speaks another protocol'),
    unknown: trans.__('No object of this name is registered any more')
  };
  const own = ownNotice(kind, trans);
  const title = titles[kind] ?? own.title;
  const mine = titles[kind] ? { ...own, title, reason: '', hint: '' } : own;
  return { ...mine, reason: reason || mine.reason, hint: hint || mine.hint };
}
