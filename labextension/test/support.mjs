/** Small helpers of the tests. */

import { readFileSync } from 'node:fs';

/** The fixture that the Python tests read too. */
export const contract = JSON.parse(readFileSync(new URL('../../tests/contract/models.json', import.meta.url)));

/** Registrations with these names, and a URI and tags made of them. */
export function entries(...names) {
  return names.map(name => ({ name, uri: `PYRO:${name}@lab:9091`, tags: [] }));
}

/** A copy of `value` with the field at the dotted `path` replaced. */
export function changed(value, path, replacement) {
  const copy = structuredClone(value);
  const fields = path.split('.');
  const last = fields.pop();
  fields.reduce((at, field) => at[field], copy)[last] = replacement;
  return copy;
}

/** Lets waiting promises and immediate timers run until `condition` holds. */
export async function until(condition, milliseconds = 2000) {
  const end = Date.now() + milliseconds;
  while (!condition()) {
    if (Date.now() > end) {
      throw new Error(`not within ${milliseconds} ms: ${condition}`);
    }
    await new Promise(resolve => setTimeout(resolve, 5));
  }
}
