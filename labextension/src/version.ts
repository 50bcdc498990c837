/** The version of this front end, and whether a Python package belongs to it. */

export const VERSION = '0.1.0';

/** True when both versions are of one release; suffixes such as `.dev1` or `a2` don't count. */
export function sameRelease(one: string, other: string): boolean {
  return release(one) === release(other);
}

function release(version: string): string {
  return /^\d+(\.\d+)*/.exec(version)?.[0] ?? version;
}
