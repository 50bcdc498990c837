/** The sections of the panel: what each must tell of itself. */

import type { Widget } from '@lumino/widgets';

export interface ISection {
  title: string;
  /** Lower ones are further up. */
  rank: number;
  /** How much of the height it gets at first, compared with the others. */
  size: number;
  /** Whether it begins as its title alone. */
  folded?: boolean;
  widget: Widget;
}

/** The ranks in use. */
export const Rank = { names: 100, object: 200, notebook: 300, calls: 400 } as const;
