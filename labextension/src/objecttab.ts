/** The tab of one object: its commands, how it is restored, and who asks the object. */

import type { ILayoutRestorer, JupyterFrontEnd } from '@jupyterlab/application';
import { MainAreaWidget, WidgetTracker } from '@jupyterlab/apputils';
import type { ICommandPalette } from '@jupyterlab/apputils';
import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';
import { launchIcon, listIcon } from '@jupyterlab/ui-components';
import { TabPanel } from '@lumino/widgets';
import type { Widget } from '@lumino/widgets';
import React from 'react';

import type { IObjectAction } from './actions.js';
import { Calls } from './components/Calls.js';
import type { IKernelPart } from './components/kernelpart.js';
import { ObjectTab } from './components/ObjectTab.js';
import { pyroIcon } from './icon.js';
import type { Insertion } from './insertion.js';
import { WatchingWidget } from './kernelsections.js';
import type { Reader, ValuesModel } from './livevalues.js';
import type { ObjectModel } from './models.js';
import { ObjectView } from './objectview.js';

export const TabCommandIDs = {
  openObject: 'pyronb:open-object',
  watchObject: 'pyronb:watch-object',
  openCalls: 'pyronb:open-calls'
} as const;

/** Which object: its registered name, the address of its name server, and how code finds that. */
export interface ITabTarget {
  name: string;
  /** For the Jupyter server; empty for its first one. */
  address: string;
  /** For code; null when it finds the name server without being told. */
  nameserver: string | null;
}

export interface ITabHost extends IKernelPart {
  app: JupyterFrontEnd;
  restorer: ILayoutRestorer | null;
  palette: ICommandPalette | null;
  insertion: Insertion;
  /** Where the application has room for tabs. */
  area: 'main' | 'down';
  /** Asks the Jupyter server what an object offers. */
  object: (address: string, name: string) => Promise<ObjectModel>;
  /** The name server that the panel shows. */
  address: () => string;
}

const TIMEOUT = 30_000;

/** Adds the commands, and gives the actions on an object that lead to its tab. */
export function addTabs(host: ITabHost): IObjectAction[] {
  const { app, restorer, palette, trans, watch } = host;
  const { commands, shell } = app;
  const tabs = new WidgetTracker<MainAreaWidget<WatchingWidget>>({ namespace: 'pyronb-objects' });
  const views = new WeakMap<MainAreaWidget, ObjectView>();
  const category = trans.__('Pyro');

  const open = (target: ITabTarget, pinned: string[] = []): MainAreaWidget<WatchingWidget> => {
    const id = `pyronb-object:${target.address}:${target.name}`;
    const known = tabs.find(tab => tab.id === id);
    if (known) {
      bringForward(known, shell);
      return known;
    }
    const view = new ObjectView(
      target,
      () => host.object(target.address, target.name),
      valuesReader(app.serviceManager.serverSettings, target),
      watch,
      pinned
    );
    const content = new WatchingWidget(watch, () => React.createElement(ObjectTab, { ...host, view }), view);
    content.addClass('pyronb-ObjectTab');
    const tab = new MainAreaWidget({ content });
    tab.id = id;
    tab.title.label = target.name.split('.').pop() || target.name;
    tab.title.caption = target.name;
    tab.title.icon = pyroIcon;
    tab.title.closable = true;
    tab.toolbar.hide();
    views.set(tab, view);
    view.live.changed.connect(() => void tabs.save(tab));
    void tabs.add(tab);
    shell.add(tab, host.area, { mode: 'tab-after' });
    bringForward(tab, shell);
    return tab;
  };

  const objectArgs = {
    type: 'object',
    required: ['name'],
    properties: {
      name: { type: 'string', description: trans.__('The registered name of the object') },
      address: { type: 'string', description: trans.__('The address of its name server') },
      nameserver: {
        type: 'string',
        description: trans.__('The same as code has to tell it; left out where it need not')
      },
      pinned: {
        type: 'array',
        items: { type: 'string' },
        description: trans.__('The attributes that are read again and again')
      }
    }
  };
  commands.addCommand('pyronb:restore-object', {
    label: trans.__('Restore the tab of an object'),
    describedBy: { args: objectArgs },
    execute: args => {
      const { name, address, nameserver, pinned } = args as Record<string, unknown>;
      if (typeof name !== 'string') {
        return undefined;
      }
      const target = {
        name,
        address: typeof address === 'string' ? address : host.address(),
        nameserver: typeof nameserver === 'string' ? nameserver : null
      };
      return open(target, Array.isArray(pinned) ? pinned.map(String) : []);
    }
  });
  void restorer?.restore(tabs, {
    command: 'pyronb:restore-object',
    name: tab => tab.id,
    args: tab => {
      const view = views.get(tab)!;
      const { name, address, nameserver } = view.target;
      return { name, address, ...(nameserver === null ? {} : { nameserver }), pinned: [...view.live.state.pinned] };
    }
  });

  let calls: MainAreaWidget<WatchingWidget> | null = null;
  const openCalls = () => {
    if (!calls || calls.isDisposed) {
      const content = new WatchingWidget(watch, () => React.createElement(Calls, { ...host, openCalls: undefined }));
      content.addClass('pyronb-Calls');
      calls = new MainAreaWidget({ content });
      calls.id = 'pyronb-calls';
      calls.title.label = trans.__('Remote calls');
      calls.title.icon = pyroIcon;
      calls.title.closable = true;
      calls.toolbar.hide();
    }
    if (!calls.isAttached) {
      // Below, so that the notebook stays on view; what has no such place gets a tab.
      shell.add(calls, 'down', { activate: true });
    }
    bringForward(calls, shell);
    return calls;
  };
  commands.addCommand(TabCommandIDs.openCalls, {
    label: trans.__('Remote Calls of the Notebook'),
    caption: trans.__('Show the remote calls of the notebook on view below it'),
    icon: listIcon,
    describedBy: { args: { type: 'object', properties: {} } },
    execute: openCalls
  });
  palette?.addItem({ command: TabCommandIDs.openCalls, category });

  const tabTarget = (name: string, nameserver: string | null): ITabTarget => ({
    name,
    address: host.address(),
    nameserver
  });
  return [
    {
      id: TabCommandIDs.openObject,
      label: trans.__('Open'),
      caption: trans.__('Open this object in a tab of its own'),
      icon: launchIcon,
      rank: 30,
      places: ['menu', 'row', 'card'],
      run: ({ name, nameserver }) => void open(tabTarget(name, nameserver))
    },
    {
      id: TabCommandIDs.watchObject,
      label: trans.__('Watch'),
      caption: trans.__('Open this object, and read its attributes again and again'),
      rank: 40,
      places: ['menu'],
      run: ({ name, nameserver }) => {
        const tab = open(tabTarget(name, nameserver));
        views.get(tab)?.watchAll();
      }
    }
  ];
}

/** Brings a tab on view. Of those below the notebook, Notebook 7 would only move the keyboard into one behind another. */
function bringForward(tab: Widget, shell: JupyterFrontEnd.IShell): void {
  const tabs = tab.parent?.parent;
  if (tabs instanceof TabPanel) {
    tabs.currentWidget = tab;
  }
  shell.activateById(tab.id);
}

/** Reads attributes through the Jupyter server. */
function valuesReader(settings: ServerConnection.ISettings, { name, address }: ITabTarget): Reader {
  return async names => {
    const query = new URLSearchParams([
      ['ns', address],
      ['name', name],
      ...names.map(attribute => ['attribute', attribute])
    ]);
    const url = `${URLExt.join(settings.baseUrl, 'pyronb', 'api', 'values')}?${query}`;
    const init = { method: 'POST', signal: AbortSignal.timeout(TIMEOUT) };
    const response = await ServerConnection.makeRequest(url, init, settings);
    const answer = await response.json().catch(() => null);
    if (!response.ok || typeof answer?.values !== 'object') {
      throw new Error(
        typeof answer?.message === 'string' ? answer.message : `${response.status} ${response.statusText}`
      );
    }
    return answer as ValuesModel;
  };
}
