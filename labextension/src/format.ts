/** Numbers and foreign names for people. */

// Control characters, and those that turn the direction of text around or are not seen at all.
const HIDDEN = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g;

/** A name with its hidden characters shown as `\u202e`, so that one name cannot be made to look like another. */
export function visible(text: string): string {
  return text.replace(HIDDEN, char => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** `850 µs`, `3.4 ms`, `120 ms`, `1.2 s`. */
export function formatLatency(seconds: number): string {
  if (seconds < 0.001) {
    return `${Math.round(seconds * 1e6)} µs`;
  }
  if (seconds < 1) {
    const ms = seconds * 1000;
    return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
  }
  return `${seconds.toFixed(1)} s`;
}

/** `7 s`, `12 min`, `3 h`, `2 d`: a span of time, one unit, never negative. */
export function formatSpan(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 60) {
    return `${seconds} s`;
  }
  if (seconds < 3600) {
    return `${Math.floor(seconds / 60)} min`;
  }
  if (seconds < 86400) {
    return `${Math.floor(seconds / 3600)} h`;
  }
  return `${Math.floor(seconds / 86400)} d`;
}

/** `Pyro5`, `Pyro4` or `pyronb`: which family of protocols a peer such as `pyronb 0.1.0` speaks; empty when unknown. */
export function familyOf(server: string): string {
  return server.split(' ')[0];
}
