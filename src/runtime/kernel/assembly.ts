/**
 * As much of WebAssembly's binary format (core specification 2.0, section 5) as a kernel needs: a module of one
 * function over an imported memory.
 */

/** Instructions, encoded. */
export type Code = readonly number[];

export const TYPE = { i32: 0x7f, f32: 0x7d, f64: 0x7c, v128: 0x7b } as const;
export type ValueType = (typeof TYPE)[keyof typeof TYPE];

export const local = {
  get: (index: number): Code => [0x20, ...unsigned(index)],
  set: (index: number): Code => [0x21, ...unsigned(index)],
};

export const i32 = {
  constant: (value: number): Code => [0x41, ...signed(value)],
  add: [0x6a],
  subtract: [0x6b],
  atLeastUnsigned: [0x4f],
} as const;

export const f32 = {
  constant: (value: number): Code => [0x43, ...new Uint8Array(Float32Array.of(value).buffer)],
  load: [0x2a, 2, 0],
  store: [0x38, 2, 0],
  less: [0x5d],
  greater: [0x5e],
  absolute: [0x8b],
  negate: [0x8c],
  squareRoot: [0x91],
  add: [0x92],
  subtract: [0x93],
  multiply: [0x94],
  divide: [0x95],
  minimum: [0x96],
  maximum: [0x97],
  fromBoolean: [0xb3],
} as const;

export const f64 = { add: [0xa0], fromFloat32: [0xbb] } as const;

/** Four float32 at a time. */
export const f32x4 = {
  // Alignment hints of 4 bytes: tensors may begin at any element.
  load: [...vector(0x00), 2, 0],
  store: [...vector(0x0b), 2, 0],
  splat: vector(0x13),
  less: vector(0x43),
  greater: vector(0x44),
  and: vector(0x4e),
  absolute: vector(0xe0),
  negate: vector(0xe1),
  squareRoot: vector(0xe3),
  add: vector(0xe4),
  subtract: vector(0xe5),
  multiply: vector(0xe6),
  divide: vector(0xe7),
  minimum: vector(0xe8),
  maximum: vector(0xe9),
} as const;

/** Two float64 at a time. */
export const f64x2 = {
  add: vector(0xf0),
  fromLowerFloat32: vector(0x5f),
  lane: (index: 0 | 1): Code => [...vector(0x21), index],
  /** The upper half of a vector as the lower half of another: lanes of bytes, taken from two equal operands. */
  upperAsLower: [...vector(0x0d), 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31],
} as const;

/** Repeats `body` while `condition`, code that leaves an i32, holds. */
export function loopWhile(condition: Code, body: Code): Code {
  const [block, loop, end, noResult] = [0x02, 0x03, 0x0b, 0x40];
  const [branch, branchIf, isZero] = [0x0c, 0x0d, 0x45];
  return [block, noResult, loop, noResult, ...condition, isZero, branchIf, 1, ...body, branch, 0, end, end];
}

/** Of a function: parameters come first in the numbering of locals. */
export interface FunctionBody {
  readonly parameters: readonly ValueType[];
  readonly result: ValueType;
  readonly locals: readonly ValueType[];
  readonly code: Code;
}

/** A module that imports `environment.memory` and exports the function as `run`. */
export function moduleOf({ parameters, result, locals, code }: FunctionBody): Uint8Array {
  const header = [...text('\0asm', false), 1, 0, 0, 0];
  const functionType = [0x60, ...list(parameters.map((type) => [type])), ...list([[result]])];
  const memoryImport = [...text('environment'), ...text('memory'), 0x02, 0x00, 0];
  const functionExport = [...text('run'), 0x00, 0];
  const body = [...list(locals.map((type) => [1, type])), ...code, 0x0b];
  return Uint8Array.from([
    ...header,
    ...section(1, [functionType]),
    ...section(2, [memoryImport]),
    ...section(3, [[0]]),
    ...section(7, [functionExport]),
    ...section(10, [[...unsigned(body.length), ...body]]),
  ]);
}

function section(id: number, entries: readonly Code[]): Code {
  const content = list(entries);
  return [id, ...unsigned(content.length), ...content];
}

function list(entries: readonly Code[]): Code {
  return [...unsigned(entries.length), ...entries.flat()];
}

function text(value: string, counted = true): Code {
  const bytes = new TextEncoder().encode(value);
  return counted ? [...unsigned(bytes.length), ...bytes] : [...bytes];
}

function vector(opcode: number): Code {
  return [0xfd, ...unsigned(opcode)];
}

/** LEB128. */
function unsigned(value: number): Code {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return [...bytes, rest];
    bytes.push((rest & 0x7f) | 0x80);
  }
}

/** Signed LEB128. */
function signed(value: number): Code {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>= 7) {
    if (rest >= -0x40 && rest < 0x40) return [...bytes, rest & 0x7f];
    bytes.push((rest & 0x7f) | 0x80);
  }
}
