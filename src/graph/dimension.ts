import { formatDims } from '../base/shape.ts';
import type { Dimension, Shape } from './ir.ts';

/**
 * Arithmetic of symbolic dimensions. A dimension is a number, a text, or null where nothing is known. The text is the
 * name that the model gives (`batch`) or an expression over such names in one canonical form, so that equal
 * expressions are equal texts: `batch*sequence*12`, `past + sequence`, `floor(width/2)`, `min(sequence, 512)`. Names
 * stand for non-negative integers. What cannot be said, or only at absurd length, is null.
 */
type Known = number | string;

/** A sum of products: the coefficient of each product of names, which are sorted and joined by `*` ('' is the constant). */
type Polynomial = ReadonlyMap<string, number>;

const TERM_LIMIT = 16;
const TEXT_LIMIT = 160;

export function addDimensions(a: Dimension, b: Dimension): Dimension {
  if (a === null || b === null) return null;
  if (typeof a === 'number' && typeof b === 'number') return exact(a + b);
  if (a === 0) return b;
  if (b === 0) return a;
  return write(sum(read(a), read(b), 1));
}

export function subtractDimensions(a: Dimension, b: Dimension): Dimension {
  if (a === null || b === null) return null;
  if (typeof a === 'number' && typeof b === 'number') return exact(a - b);
  if (b === 0) return a;
  if (a === b) return 0;
  return write(sum(read(a), read(b), -1));
}

/** The product; of an unknown dimension with 0 it is 0. */
export function multiplyDimensions(a: Dimension, b: Dimension): Dimension {
  if (a === 0 || b === 0) return 0;
  if (a === null || b === null) return null;
  if (typeof a === 'number' && typeof b === 'number') return exact(a * b);
  if (a === 1) return b;
  if (b === 1) return a;
  return write(product(read(a), read(b)));
}

/** The number of elements of a tensor with these dimensions. */
export function productOfDimensions(shape: Shape): Dimension {
  return shape.includes(0) ? 0 : shape.reduce(multiplyDimensions, 1);
}

/** Integer division as ONNX does it: toward zero for numbers; symbolic operands are taken to be non-negative. */
export function divideDimensions(a: Dimension, b: Dimension): Dimension {
  if (a === null || b === null || b === 0) return null;
  if (typeof a === 'number' && typeof b === 'number') return exact(Math.trunc(a / b));
  if (b === 1) return a;
  if (a === b) return 1;
  const dividend = read(a);
  const divisor = read(b);
  const quotient = divideExactly(dividend, divisor);
  if (quotient !== undefined) return write(quotient);
  if (typeof b === 'string') return functionText(`floor(${group(a)}/${group(b)})`);
  if (b < 0) return null;
  const { whole, rest } = splitByDivisor(dividend, b);
  const restText = write(rest);
  if (restText === null) return null;
  const fraction = typeof restText === 'number' ? 0 : functionText(`floor(${group(restText)}/${b})`);
  return addDimensions(write(whole), fraction);
}

/** The quotient where the division leaves no rest, whatever the names stand for; null otherwise. */
export function divideDimensionsExactly(a: Dimension, b: Dimension): Dimension {
  if (a === null || b === null || b === 0) return null;
  if (typeof a === 'number' && typeof b === 'number') return a % b === 0 ? a / b : null;
  const quotient = divideExactly(read(a), read(b));
  return quotient === undefined ? null : write(quotient);
}

/** The rest of a division of non-negative operands. */
export function moduloDimensions(a: Dimension, b: Dimension): Dimension {
  if (a === null || b === null || b === 0) return null;
  if (typeof a === 'number' && typeof b === 'number') return a >= 0 && b > 0 ? a % b : null;
  if (divideExactly(read(a), read(b)) !== undefined) return 0;
  if (typeof b === 'string') return functionText(`mod(${a}, ${b})`);
  if (b < 0) return null;
  const rest = write(splitByDivisor(read(a), b).rest);
  return typeof rest === 'number' || rest === null ? rest : functionText(`mod(${rest}, ${b})`);
}

export function minimumOfDimensions(...dimensions: readonly Dimension[]): Dimension {
  return extreme('min', dimensions, (a, b) => isAtMost(a, b));
}

export function maximumOfDimensions(...dimensions: readonly Dimension[]): Dimension {
  return extreme('max', dimensions, (a, b) => isAtMost(b, a));
}

/** Whether two dimensions are equal for sure. Null equals nothing. */
export function equalDimensions(a: Dimension, b: Dimension): boolean {
  if (a === null || b === null) return false;
  return a === b || (typeof a !== typeof b || typeof a === 'string' ? canonical(a) === canonical(b) : false);
}

/** Whether two dimensions differ for sure: numbers, `past` and `past + 1`, a name and a negative number. */
export function differentDimensions(a: Dimension, b: Dimension): boolean {
  if (a === null || b === null || a === b) return false;
  return (typeof a === 'number' && typeof b === 'number') || isBelow(a, b) || isBelow(b, a);
}

/** Whether `a < b` whatever non-negative integers the names stand for. */
export function isBelow(a: Dimension, b: Dimension): boolean {
  return isAtMost(addDimensions(a, 1), b);
}

/** Whether `a <= b` whatever non-negative integers the names stand for. */
export function isAtMost(a: Dimension, b: Dimension): boolean {
  if (a === null || b === null) return false;
  if (typeof a === 'number' && typeof b === 'number') return a <= b;
  if (a === b) return true;
  const parts = typeof a === 'string' ? argumentsOf(a, 'min') : undefined;
  if (parts?.some((part) => isAtMost(part, b))) return true;
  const others = typeof b === 'string' ? argumentsOf(b, 'max') : undefined;
  if (others?.some((part) => isAtMost(a, part))) return true;
  for (const coefficient of sum(read(b), read(a), -1).values()) if (coefficient < 0) return false;
  return true;
}

/** `max(length, 0)`, in short where the length cannot be negative as long as every name stands for 1 or more. */
export function lengthAtLeastZero(length: Dimension): Dimension {
  if (typeof length !== 'string') return maximumOfDimensions(length, 0);
  let least = 0;
  for (const [key, coefficient] of read(length)) {
    if (key === '') least += coefficient;
    else if (coefficient < 0) return maximumOfDimensions(length, 0);
    else if (!key.includes('(')) least += coefficient;
  }
  return least < 0 ? maximumOfDimensions(length, 0) : length;
}

/**
 * The dimension that both stand for, where two statements about one dimension meet: a number wins over a name, a name
 * over null, and of two names the first. Undefined where they contradict each other.
 */
export function unifyDimensions(a: Dimension, b: Dimension): Dimension | undefined {
  if (b === null || a === b) return a;
  if (a === null) return b;
  if (differentDimensions(a, b)) return undefined;
  return typeof b === 'number' ? b : a;
}

export function unifyShapes(a: Shape, b: Shape): Shape | undefined {
  if (a.length !== b.length) return undefined;
  const dims: Dimension[] = [];
  for (let axis = 0; axis < a.length; axis++) {
    const dim = unifyDimensions(a[axis]!, b[axis]!);
    if (dim === undefined) return undefined;
    dims.push(dim);
  }
  return dims;
}

/**
 * One dimension of a broadcast: 1 gives way to the other, a number above 1 wins over what is not known, two different
 * names give null. Undefined where the two cannot be broadcast.
 */
export function broadcastDimensions(a: Dimension, b: Dimension): Dimension | undefined {
  if (a === 1 || a === b) return b;
  if (b === 1) return a;
  if (typeof a === 'number' && typeof b === 'number') return undefined;
  if (typeof a === 'number') return a > 1 ? a : null;
  if (typeof b === 'number') return b > 1 ? b : null;
  if (a === null || b === null) return null;
  if (canonical(a) === canonical(b)) return a;
  // A slice that is no longer than the other side: where it is shorter, only a length of 1 can be broadcast.
  if (argumentsOf(a, 'min')?.some((part) => equalDimensions(part, b))) return b;
  if (argumentsOf(b, 'min')?.some((part) => equalDimensions(part, a))) return a;
  return null;
}

/** Multidirectional broadcasting. An unknown shape makes the result unknown. Undefined where shapes cannot be broadcast. */
export function broadcastShapes(shapes: readonly Shape[]): Shape | undefined {
  let rank = 0;
  for (const shape of shapes) rank = Math.max(rank, shape.length);
  const dims = new Array<Dimension>(rank).fill(1);
  for (const shape of shapes) {
    for (let index = 0; index < shape.length; index++) {
      const axis = rank - shape.length + index;
      const dim = broadcastDimensions(dims[axis]!, shape[index]!);
      if (dim === undefined) return undefined;
      dims[axis] = dim;
    }
  }
  return dims;
}

/** What a dimension is when its names stand for the given numbers; null where a name has none. */
export function evaluateDimension(dimension: Dimension, names: Readonly<Record<string, number>>): number | null {
  if (dimension === null || typeof dimension === 'number') return dimension;
  const own = Object.hasOwn(names, dimension) ? names[dimension] : undefined;
  if (own !== undefined) return own;
  let total = 0;
  for (const [key, coefficient] of read(dimension)) {
    let value = coefficient;
    for (const atom of key === '' ? [] : key.split('*')) {
      const factor = evaluateAtom(atom, names);
      if (factor === null) return null;
      value *= factor;
    }
    total += value;
  }
  return total;
}

export function evaluateShape(shape: Shape, names: Readonly<Record<string, number>>): Shape {
  return shape.map((dim) => evaluateDimension(dim, names));
}

export function formatShape(shape: Shape | undefined): string {
  return shape === undefined ? '[…]' : formatDims(shape);
}

// Reading and writing expressions.

function canonical(dimension: Known): Dimension {
  return typeof dimension === 'number' ? dimension : write(read(dimension));
}

function exact(value: number): Dimension {
  // Adding 0 makes 0 of -0.
  return Number.isSafeInteger(value) ? value + 0 : null;
}

/** A name, or a product of names and numbers: nearly all that there is, and quickly read. */
const PLAIN_PRODUCT = /^[^\s+\-(\d*][^\s+()]*$/;

function read(dimension: Known): Polynomial {
  if (typeof dimension === 'number') return new Map(dimension === 0 ? [] : [['', dimension]]);
  if (PLAIN_PRODUCT.test(dimension)) {
    if (!dimension.includes('*')) return new Map([[dimension, 1]]);
    const factors = dimension.split('*');
    const names = factors.filter((factor) => !/^\d+$/.test(factor));
    if (!names.includes('')) {
      const coefficient = factors.reduce(
        (total, factor) => (names.includes(factor) ? total : total * Number(factor)),
        1,
      );
      return new Map(coefficient === 0 ? [] : [[names.sort().join('*'), coefficient]]);
    }
  }
  return new ExpressionReader(dimension).read() ?? new Map([[dimension.replaceAll('*', '×'), 1]]);
}

/** Reads sums and products of names; a text that is none is a name as a whole. A minus needs spaces (`a - b`), for `batch-size` is a name. */
class ExpressionReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  read(): Polynomial | undefined {
    const result = this.#sum();
    return this.#at === this.#text.length ? result : undefined;
  }

  #sum(): Polynomial | undefined {
    let sign = this.#take(/-\s*/y) === undefined ? 1 : -1;
    let total: Polynomial = new Map();
    for (;;) {
      const term = this.#product();
      if (term === undefined) return undefined;
      total = sum(total, term, sign);
      const operator = this.#take(/\s*\+\s*|\s+-\s+/y);
      if (operator === undefined) return total;
      sign = operator.includes('-') ? -1 : 1;
    }
  }

  #product(): Polynomial | undefined {
    let total: Polynomial = new Map([['', 1]]);
    do {
      const factor = this.#factor();
      if (factor === undefined) return undefined;
      total = product(total, factor);
      if (total.size > TERM_LIMIT) return undefined;
    } while (this.#take(/\s*\*\s*/y) !== undefined);
    return total;
  }

  #factor(): Polynomial | undefined {
    const digits = this.#take(/\d+(?![^\s*+)])/y);
    if (digits !== undefined) return read(Number(digits));
    if (this.#take(/\(/y) !== undefined) {
      const inner = this.#sum();
      return this.#take(/\)/y) === undefined ? undefined : inner;
    }
    const start = this.#at;
    let depth = 0;
    for (; this.#at < this.#text.length; this.#at++) {
      const character = this.#text[this.#at]!;
      if (character === '(') depth++;
      else if (character === ')' && --depth < 0) break;
      else if (depth === 0 && (character === '*' || character === '+' || /\s/.test(character))) break;
    }
    // A product inside the arguments of a function must not be taken for a product of names.
    return this.#at === start || depth > 0
      ? undefined
      : new Map([[this.#text.slice(start, this.#at).replaceAll('*', '×'), 1]]);
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }
}

function write(polynomial: Polynomial): Dimension {
  if (polynomial.size === 0) return 0;
  if (polynomial.size > TERM_LIMIT) return null;
  const terms = [...polynomial].sort(([a, one], [b, other]) => {
    if (one < 0 !== other < 0) return one < 0 ? 1 : -1;
    if ((a === '') !== (b === '')) return a === '' ? 1 : -1;
    return degree(b) - degree(a) || (a < b ? -1 : 1);
  });
  let text = '';
  for (const [key, coefficient] of terms) {
    if (!Number.isSafeInteger(coefficient)) return null;
    if (key === '' && terms.length === 1) return coefficient;
    const size = Math.abs(coefficient);
    const term = key === '' ? String(size) : size === 1 ? key : `${key}*${size}`;
    if (text === '') text = coefficient < 0 ? `-${term}` : term;
    else text += coefficient < 0 ? ` - ${term}` : ` + ${term}`;
  }
  return functionText(text.replaceAll('×', '*'));
}

function functionText(text: string): Dimension {
  return text.length > TEXT_LIMIT ? null : text;
}

function degree(key: string): number {
  return key === '' ? 0 : key.split('*').length;
}

function group(dimension: Known): string {
  const text = String(dimension);
  return typeof dimension === 'string' && read(dimension).size > 1 ? `(${text})` : text;
}

function sum(a: Polynomial, b: Polynomial, sign: number): Polynomial {
  const total = new Map(a);
  for (const [key, coefficient] of b) {
    const value = (total.get(key) ?? 0) + sign * coefficient;
    if (value === 0) total.delete(key);
    else total.set(key, value);
  }
  return total;
}

function product(a: Polynomial, b: Polynomial): Polynomial {
  const total = new Map<string, number>();
  for (const [left, one] of a) {
    for (const [right, other] of b) {
      const key =
        left === '' ? right : right === '' ? left : [...left.split('*'), ...right.split('*')].sort().join('*');
      const value = (total.get(key) ?? 0) + one * other;
      if (value === 0) total.delete(key);
      else total.set(key, value);
    }
  }
  return total;
}

/** Polynomial division by leading terms; undefined where a rest is left. */
function divideExactly(dividend: Polynomial, divisor: Polynomial): Polynomial | undefined {
  const [leadingKey, leadingCoefficient] = leadingTerm(divisor) ?? ['', 0];
  if (leadingCoefficient === 0) return undefined;
  let rest = dividend;
  let quotient: Polynomial = new Map();
  for (let step = 0; rest.size > 0; step++) {
    const [key, coefficient] = leadingTerm(rest)!;
    const remaining = removeFactors(key, leadingKey);
    if (remaining === undefined || coefficient % leadingCoefficient !== 0 || step === TERM_LIMIT) return undefined;
    const term: Polynomial = new Map([[remaining, coefficient / leadingCoefficient]]);
    quotient = sum(quotient, term, 1);
    rest = sum(rest, product(term, divisor), -1);
  }
  return quotient;
}

function leadingTerm(polynomial: Polynomial): readonly [string, number] | undefined {
  let leading: readonly [string, number] | undefined;
  for (const term of polynomial) {
    if (leading === undefined) leading = term;
    else {
      const difference = degree(term[0]) - degree(leading[0]);
      if (difference > 0 || (difference === 0 && term[0] < leading[0])) leading = term;
    }
  }
  return leading;
}

function removeFactors(key: string, factors: string): string | undefined {
  if (factors === '') return key;
  const left = key.split('*');
  for (const factor of factors.split('*')) {
    const index = left.indexOf(factor);
    if (index < 0) return undefined;
    left.splice(index, 1);
  }
  return left.join('*');
}

/** `polynomial = divisor * whole + rest`, with coefficients of the rest in [0, divisor). */
function splitByDivisor(polynomial: Polynomial, divisor: number): { whole: Polynomial; rest: Polynomial } {
  const whole = new Map<string, number>();
  const rest = new Map<string, number>();
  for (const [key, coefficient] of polynomial) {
    const quotient = Math.floor(coefficient / divisor);
    const remainder = coefficient - quotient * divisor;
    if (quotient !== 0) whole.set(key, quotient);
    if (remainder !== 0) rest.set(key, remainder);
  }
  return { whole, rest };
}

// Functions: `min(a, b)`, `max(a, b)`, `floor(a/b)`, `mod(a, b)`.

/** The arguments of a dimension that is one call of the function, like `min(sequence, 512)`. */
function argumentsOf(dimension: Known, name: 'min' | 'max' | 'mod'): Known[] | undefined {
  if (typeof dimension === 'number' || !dimension.startsWith(`${name}(`)) return undefined;
  const parts = splitArguments(dimension, name.length + 1, ',');
  return parts?.map((part) => (/^-?\d+$/.test(part) ? Number(part) : part));
}

/** The texts between `separator`s, from `start` to the parenthesis that closes the call, which must end the text. */
function splitArguments(text: string, start: number, separator: ',' | '/'): string[] | undefined {
  const parts: string[] = [];
  let depth = 0;
  let from = start;
  for (let index = start; index < text.length; index++) {
    const character = text[index]!;
    if (character === '(') depth++;
    else if (character === ')') {
      if (depth-- === 0) return index === text.length - 1 ? [...parts, text.slice(from, index).trim()] : undefined;
    } else if (character === separator && depth === 0) {
      parts.push(text.slice(from, index).trim());
      from = index + 1;
    }
  }
  return undefined;
}

function extreme(
  name: 'min' | 'max',
  dimensions: readonly Dimension[],
  wins: (a: Known, b: Known) => boolean,
): Dimension {
  const candidates: Known[] = [];
  for (const dimension of dimensions) {
    if (dimension === null) return null;
    candidates.push(...(argumentsOf(dimension, name) ?? [dimension]));
  }
  const kept = candidates.filter(
    (one, index) =>
      !candidates.some((other, at) => at !== index && wins(other, one) && !(wins(one, other) && at > index)),
  );
  if (kept.length === 1) return kept[0]!;
  const order = (a: Known, b: Known): number =>
    typeof a === typeof b ? (a < b ? -1 : 1) : typeof a === 'number' ? 1 : -1;
  return functionText(`${name}(${kept.sort(order).join(', ')})`);
}

function evaluateAtom(atom: string, names: Readonly<Record<string, number>>): number | null {
  const text = atom.replaceAll('×', '*');
  if (Object.hasOwn(names, text)) return names[text]!;
  for (const name of ['min', 'max', 'mod'] as const) {
    const values = argumentsOf(text, name)?.map((part) => evaluateDimension(part, names));
    if (values === undefined) continue;
    const numbers = values.filter((value) => value !== null);
    if (numbers.length < values.length) return null;
    return name === 'mod' ? numbers[0]! % numbers[1]! : Math[name](...numbers);
  }
  const quotient = text.startsWith('floor(') ? splitArguments(text, 6, '/') : undefined;
  if (quotient?.length !== 2) return null;
  const [dividend, divisor] = quotient.map((part) => evaluateDimension(part, names));
  return typeof dividend === 'number' && typeof divisor === 'number' ? Math.floor(dividend / divisor) : null;
}
