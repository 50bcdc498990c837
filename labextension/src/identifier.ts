/** Python variable names for remote objects. */

// Words that Python does not take as a variable.
const KEYWORDS =
  'False None True and as assert async await break class continue def del elif else except finally for from ' +
  'global if import in is lambda nonlocal not or pass raise return try while with yield';

// Names that Python and IPython bind in every notebook: taking one of them would hide it.
const BUILTINS =
  'abs aiter all anext any ascii bin bool breakpoint bytearray bytes callable chr classmethod compile complex ' +
  'copyright credits delattr dict dir display divmod enumerate eval exec exit filter float format frozenset ' +
  'get_ipython getattr globals hasattr hash help hex id input int isinstance issubclass iter len license list ' +
  'locals map max memoryview min next object oct open ord pow print property quit range repr reversed round set ' +
  'setattr slice sorted staticmethod str sum super tuple type vars zip In Out _ pyronb Ellipsis NotImplemented ' +
  'KeyboardInterrupt GeneratorExit SystemExit StopIteration StopAsyncIteration BaseExceptionGroup ExceptionGroup';

const TAKEN = new Set(`${KEYWORDS} ${BUILTINS}`.split(' '));

/** A variable for the object `name`: its last part, made an identifier that hides nothing. */
export function identifierFor(name: string, separator = '.'): string {
  const parts = separator === '' ? [name] : name.split(separator);
  const last = parts.filter(part => part !== '').pop() ?? '';
  // Python compares identifiers in their NFKC form.
  let word = last
    .normalize('NFKC')
    .replace(/[^\p{XID_Continue}]+/gu, '_')
    .replace(/^_+|_+$/g, '');
  if (!/^\p{XID_Start}/u.test(word)) {
    word = word === '' ? 'obj' : `obj_${word}`;
  }
  // Most exceptions end like this; the others are in the list.
  const hides = TAKEN.has(word) || /^[A-Z]\w*(Error|Exception|Warning)$/.test(word);
  return hides ? `${word}_` : word;
}

/** `wanted`, or `wanted2`, `wanted3` and so on: the first that is not in `used`. */
export function unusedIdentifier(wanted: string, used: Set<string>): string {
  let word = wanted;
  for (let count = 2; used.has(word); count++) {
    word = `${wanted}${count}`;
  }
  return word;
}
