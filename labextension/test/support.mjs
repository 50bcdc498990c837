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
export async function until(condition, milliseconds = 20_000) {
  const end = Date.now() + milliseconds;
  while (!condition()) {
    if (Date.now() > end) {
      throw new Error(`not within ${milliseconds} ms: ${condition}`);
    }
    await new Promise(resolve => setTimeout(resolve, 5));
  }
}

/** A Jupyter server that answers what it is told to, notes what it was asked, and waits for changes as a real one. */
export class FakeApi {
  asked = [];
  known = contract.nameservers;
  reply = contract.listing;
  details = contract.object;
  healthState = 'ok';

  async nameServers() {
    return answer(this.known);
  }

  async names(address, { mark, wait, fresh }, signal) {
    this.asked.push(`names${fresh ? ', fresh' : ''}${wait > 0 ? ', waiting' : ''}`);
    const end = Date.now() + wait * 1000;
    while (mark !== '' && mark === this.reply.mark && Date.now() < end) {
      signal.throwIfAborted();
      await new Promise(resolve => setTimeout(resolve, 5));
    }
    return answer(this.reply);
  }

  async object(address, name) {
    this.asked.push(`object ${name}`);
    return answer(this.details);
  }

  async health(address, names, fresh) {
    this.asked.push(`health${fresh ? ', fresh' : ''} ${names.join(' ')}`);
    const rows = this.reply.names;
    return {
      objects: names.map(name => ({
        ...contract.health.objects[0],
        name,
        uri: rows.find(row => row.name === name)?.uri ?? '',
        state: this.healthState
      }))
    };
  }
}

function answer(value) {
  if (value instanceof Error) {
    throw value;
  }
  return value;
}
