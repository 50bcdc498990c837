/**
 * The directory: which name servers there are to look at, which one is looked at, and which ones were before.
 *
 * The Jupyter server lets only those be asked that its configuration names or that were added. Those that the user
 * added are kept in the settings, and added again when the Jupyter server was restarted.
 */

import { Signal } from '@lumino/signaling';
import type { ISignal } from '@lumino/signaling';

import type { Api } from './api.js';
import { Trouble } from './condition.js';
import type { KnownModel, NameServersModel } from './models.js';

const MAX_RECENT = 8;

export class Directory {
  /** Is told the name servers that the user added, whenever that changes: a setting. */
  save: (addresses: string[]) => void = () => undefined;

  constructor(private _api: Api) {}

  /** Emitted with each change. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Another number after each change. */
  get revision(): number {
    return this._revision;
  }

  /** What the Jupyter server told; null before it did. */
  get known(): NameServersModel | null {
    return this._known;
  }

  get nameServers(): KnownModel[] {
    return this._known?.nameservers ?? [];
  }

  /** The address of the name server that is looked at; empty when there is none, or nobody knows yet. */
  get address(): string {
    const { nameServers } = this;
    const chosen = nameServers.find(({ address }) => address === this._chosen);
    return (chosen ?? nameServers[0])?.address ?? '';
  }

  /** Addresses that were looked at and are not in the list any more, the last one first. */
  get recent(): string[] {
    return this._recent.filter(address => !this.has(address));
  }

  /** Whether the user is choosing one. */
  get choosing(): boolean {
    return this._choosing;
  }

  setChoosing(choosing: boolean): void {
    this._choosing = choosing;
    this._tell();
  }

  get embedded(): string {
    return this.nameServers.find(({ origin }) => origin === 'embedded')?.address ?? '';
  }

  /** Whether names can be removed, and a name server be started and stopped, from here. */
  get mayChange(): boolean {
    return this._known?.read_only === false;
  }

  /** Whether a name server that is started in the Jupyter server would be at this address, where nobody answers. */
  couldStart(address: string): boolean {
    const known = this.nameServers.find(one => one.address === address);
    const here = /^(localhost|127\.0\.0\.1|\[::1\]):/.test(address);
    return here && known?.default === true && this.mayChange && this.embedded === '';
  }

  has(address: string): boolean {
    return this.nameServers.some(known => known.address === address);
  }

  /** Takes up what was remembered from an earlier page. */
  restore(chosen: string, recent: string[]): void {
    this._chosen = chosen;
    this._recent = recent.slice(0, MAX_RECENT);
    this._tell();
  }

  /** The user's settings name these. */
  async want(addresses: string[]): Promise<void> {
    this._wanted = addresses;
    if (this._known) {
      await this._addWanted();
    }
  }

  /** Asks the Jupyter server which there are, and adds those that the user wants. */
  async load(): Promise<void> {
    this._take(await this._api.nameServers());
    await this._addWanted();
  }

  /** Looks at this one from now on. */
  choose(address: string): void {
    const before = this.address;
    this._chosen = address;
    this._recent = [address, before, ...this._recent]
      .filter((one, index, all) => one !== '' && all.indexOf(one) === index)
      .slice(0, MAX_RECENT);
    this._tell();
  }

  /** Adds one by hand, and looks at it; throws a Trouble that says what is wrong. */
  async add(address: string): Promise<void> {
    const before = new Set(this.nameServers.map(known => known.address));
    const known = await this._api.addNameServer(address);
    this._take(known);
    // The Jupyter server writes the address in its own way.
    const added = known.nameservers.find(one => !before.has(one.address))?.address;
    if (added !== undefined) {
      this._saveWanted([...this._wanted, added]);
    }
    this.choose(added ?? address.trim());
  }

  async forget(address: string): Promise<void> {
    this._saveWanted(this._wanted.filter(wanted => wanted !== address));
    this._recent = [address, ...this._recent.filter(recent => recent !== address)].slice(0, MAX_RECENT);
    await this._without(address, () => this._api.forgetNameServer(address));
  }

  forgetRecent(address: string): void {
    this._recent = this._recent.filter(recent => recent !== address);
    this._tell();
  }

  /** Starts a name server inside the Jupyter server, and looks at it. */
  async startEmbedded(): Promise<void> {
    this._take(await this._api.startEmbedded());
    if (this.embedded) {
      this.choose(this.embedded);
    }
  }

  async stopEmbedded(): Promise<void> {
    await this._without(this.embedded, () => this._api.stopEmbedded());
  }

  /** Has a name server removed; nobody looks at it any more by then, and so nobody asks about what is gone. */
  private async _without(address: string, removed: () => Promise<NameServersModel>): Promise<void> {
    const before = this._known;
    // The default one stays, whoever runs it.
    const others = this.nameServers.filter(known => known.address !== address || known.default);
    if (before && others.length > 0) {
      this._take({ ...before, nameservers: others });
    }
    try {
      this._take(await removed());
    } catch (error) {
      this._known = before;
      this._tell();
      throw error;
    }
  }

  private async _addWanted(): Promise<void> {
    for (const address of this._wanted) {
      if (!this.has(address)) {
        try {
          this._take(await this._api.addNameServer(address));
        } catch (error) {
          // One that cannot be added is no reason to have none.
          console.warn(`The name server ${address} of the settings was not added.`, error);
          if (error instanceof Trouble && error.condition.kind !== 'error') {
            return;
          }
        }
      }
    }
  }

  private _saveWanted(addresses: string[]): void {
    this._wanted = addresses;
    this.save(addresses);
  }

  private _take(known: NameServersModel): void {
    this._known = known;
    this._tell();
  }

  private _known: NameServersModel | null = null;
  private _tell(): void {
    this._revision++;
    this._changed.emit();
  }

  private _revision = 0;
  private _choosing = false;
  private _chosen = '';
  private _recent: string[] = [];
  private _wanted: string[] = [];
  private _changed = new Signal<this, void>(this);
}
