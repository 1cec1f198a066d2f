import { type Code, f32, f32x4, f64, f64x2, local, TYPE, type ValueType } from './assembly.ts';

/** The same arithmetic on four elements at a time, or on one: what is left of a length that four does not divide. */
export interface Lanes {
  readonly count: 4 | 1;
  readonly type: ValueType;
  readonly load: Code;
  readonly store: Code;
  /** The value of a float32 in every lane. */
  readonly spread: (scalar: Code) => Code;
  readonly arithmetic: Arithmetic;
  /** 1 where `left` is greater (less) than `right`, else 0. */
  readonly oneWhereGreater: (left: Code, right: Code) => Code;
  readonly oneWhereLess: (left: Code, right: Code) => Code;
  /** Adds the lanes of a local in float64 to what `sums` holds. */
  readonly accumulate: (value: number, sums: SumLocals) => Code;
}

/** The locals of a sum: float64s, of which those of four lanes are pairs. */
export interface SumLocals {
  readonly one: number;
  readonly lowerPair: number;
  readonly upperPair: number;
}

type Arithmetic = Readonly<
  Record<
    'add' | 'subtract' | 'multiply' | 'divide' | 'minimum' | 'maximum' | 'absolute' | 'negate' | 'squareRoot',
    Code
  >
>;

const ONE = f32.constant(1);

export const FOUR_LANES: Lanes = {
  count: 4,
  type: TYPE.v128,
  load: f32x4.load,
  store: f32x4.store,
  spread: (scalar) => [...scalar, ...f32x4.splat],
  arithmetic: f32x4,
  oneWhereGreater: (left, right) => [...left, ...right, ...f32x4.greater, ...ONE, ...f32x4.splat, ...f32x4.and],
  oneWhereLess: (left, right) => [...left, ...right, ...f32x4.less, ...ONE, ...f32x4.splat, ...f32x4.and],
  accumulate(value, { lowerPair, upperPair }) {
    const lower = local.get(value);
    const upper = [...local.get(value), ...local.get(value), ...f64x2.upperAsLower];
    const add = (pair: number, half: Code): Code => [
      ...local.get(pair),
      ...half,
      ...f64x2.fromLowerFloat32,
      ...f64x2.add,
      ...local.set(pair),
    ];
    return [...add(lowerPair, lower), ...add(upperPair, upper)];
  },
};

export const ONE_LANE: Lanes = {
  count: 1,
  type: TYPE.f32,
  load: f32.load,
  store: f32.store,
  spread: (scalar) => scalar,
  arithmetic: f32,
  oneWhereGreater: (left, right) => [...left, ...right, ...f32.greater, ...f32.fromBoolean],
  oneWhereLess: (left, right) => [...left, ...right, ...f32.less, ...f32.fromBoolean],
  accumulate: (value, { one }) => [
    ...local.get(one),
    ...local.get(value),
    ...f64.fromFloat32,
    ...f64.add,
    ...local.set(one),
  ],
};
