/** Which rows of a long list are worth drawing. All rows have one height, so this is a division. */

/** Must be the same as `--pyronb-row-height` in style/base.css. */
export const ROW_HEIGHT = 24;

// Rows drawn beyond the edge, so that a quick scroll shows no gap.
const MARGIN = 8;

/** The indexes of the rows to draw. */
export function windowOf(count: number, scrollTop: number, height: number): number[] {
  const first = Math.max(0, Math.floor(scrollTop / ROW_HEIGHT) - MARGIN);
  const last = Math.min(count, Math.ceil((scrollTop + height) / ROW_HEIGHT) + MARGIN);
  return Array.from({ length: Math.max(0, last - first) }, (_, place) => first + place);
}

/** The smallest scroll that brings the row `index` into view. */
export function scrollFor(index: number, scrollTop: number, height: number): number {
  const top = index * ROW_HEIGHT;
  if (top < scrollTop) {
    return top;
  }
  return Math.max(scrollTop, top + ROW_HEIGHT - height);
}
