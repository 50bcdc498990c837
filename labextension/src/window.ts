/** Which rows of a long list are worth drawing. All rows have one height, so this is a division. */

/** Must be the same as `--pyronb-row-height` in style/base.css. */
export const ROW_HEIGHT = 24;

// Rows drawn beyond the edge, so that a quick scroll shows no gap.
const MARGIN = 8;

export interface Window {
  first: number;
  /** Not included. */
  last: number;
}

export function windowOf(count: number, scrollTop: number, height: number): Window {
  const first = Math.floor(scrollTop / ROW_HEIGHT) - MARGIN;
  const last = Math.ceil((scrollTop + height) / ROW_HEIGHT) + MARGIN;
  return { first: Math.max(0, first), last: Math.min(count, last) };
}

/** The smallest scroll that brings the row `index` into view. */
export function scrollFor(index: number, scrollTop: number, height: number): number {
  const top = index * ROW_HEIGHT;
  if (top < scrollTop) {
    return top;
  }
  return Math.max(scrollTop, top + ROW_HEIGHT - height);
}
