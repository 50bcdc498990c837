/** Program text of Python. */

/** The text as a literal of Python; what cannot be seen in it is written as an escape. */
export function pythonText(text: string): string {
  // JSON writes what Python reads, but for the halves of letters beyond the first 65,536 and what turns text around.
  return JSON.stringify(text).replace(
    /[\ud800-\udfff](?<![\ud800-\udbff][\udc00-\udfff])(?![\udc00-\udfff])|[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
    char => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`
  );
}
