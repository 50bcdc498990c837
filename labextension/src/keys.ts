/** What a key does in the tree: pure rules, after the tree pattern of the ARIA practices guide. */

import type { Row } from './tree.js';

export type Move =
  | { kind: 'select'; index: number }
  | { kind: 'open'; index: number; open: boolean }
  | { kind: 'insert'; index: number };

/** The move that `key` means on the row `index`, or null when the key means nothing there. */
export function moveOf(key: string, rows: Row[], index: number, page: number): Move | null {
  const row = rows[index];
  if (!row) {
    return null;
  }
  const select = (to: number): Move => ({
    kind: 'select',
    index: Math.min(Math.max(to, 0), rows.length - 1)
  });
  switch (key) {
    case 'ArrowDown':
      return select(index + 1);
    case 'ArrowUp':
      return select(index - 1);
    case 'PageDown':
      return select(index + page);
    case 'PageUp':
      return select(index - page);
    case 'Home':
      return select(0);
    case 'End':
      return select(rows.length - 1);
    case 'ArrowRight':
      if (row.open === null) {
        return null;
      }
      return row.open ? select(index + 1) : { kind: 'open', index, open: true };
    case 'ArrowLeft':
      if (row.open) {
        return { kind: 'open', index, open: false };
      }
      return row.parent < 0 ? null : select(row.parent);
    case ' ':
      return row.open === null ? select(index) : { kind: 'open', index, open: !row.open };
    case 'Enter':
      if (row.node.entry) {
        return { kind: 'insert', index };
      }
      return { kind: 'open', index, open: !row.open };
    default:
      return null;
  }
}

/**
 * The next row whose label begins with `typed`, round the end; -1 when there is none.
 *
 * One letter typed again goes on to the next match, more letters may stay on the row that they already match.
 */
export function typeAhead(rows: Row[], index: number, typed: string): number {
  const letters = [...typed.toLowerCase()];
  const same = letters.every(letter => letter === letters[0]);
  const wanted = same ? letters[0] : letters.join('');
  for (let step = same ? 1 : 0; step <= rows.length; step++) {
    const at = (index + step) % rows.length;
    if (rows[at]?.node.label.toLowerCase().startsWith(wanted)) {
      return at;
    }
  }
  return -1;
}
