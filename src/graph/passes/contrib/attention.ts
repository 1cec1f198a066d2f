import { DATA_TYPES } from '../../../base/dtype.ts';
import { floatOf, int, intOf, intsOf } from '../../attributes.ts';
import type { Value } from '../../builder.ts';
import { equalDimensions, multiplyDimensions } from '../../dimension.ts';
import { type Expansion, type ExpansionContext, number } from './expansion.ts';

/** Attention over sequences, and the embedding of token ids with which BERT begins. */
export const ATTENTION = {
  // input [B, S, I], weights [I, 3 H], bias [3 H], mask, past [2, B, heads, P, D], attention bias
  Attention: (context) => {
    const { build, input, has, node, shapeOf } = context;
    if (intOf(node, 'do_rotary', 0) !== 0) throw context.refuse('do_rotary');
    if (has(6)) throw context.refuse('a past state in a buffer that is shared with the present one');
    const width = shapeOf(1)[1];
    const given = intsOf(node, 'qkv_hidden_sizes');
    if (typeof width !== 'number') throw context.refuse('weights of unknown shape');
    const sizes = given !== undefined && given.length === 3 ? given : [width / 3, width / 3, width / 3];
    const product = build.matMul(input(0), input(1));
    const packed = has(2) ? build.add(product, input(2)) : product;
    const [q, k, v] = build.split(packed, sizes, 2) as [Value, Value, Value];
    const heads = headsOf(context);
    const past = has(4) ? build.split(input(4), [1, 1], 0).map((part) => build.squeeze(part, [0])) : undefined;
    const [headSize, keySize, valueSize] = sizes.map((size) => headSizeOf(context, size, heads)) as [
      number,
      number,
      number,
    ];
    const key = behind(context, past?.[0], byHead(context, k, heads, keySize));
    const value = behind(context, past?.[1], byHead(context, v, heads, valueSize));
    const output = attend(context, {
      query: byHead(context, q, heads, headSize),
      key,
      value,
      headSize,
      width: sizes[2]!,
      mask: has(3) ? 3 : undefined,
      bias: has(5) ? input(5) : undefined,
    });
    const present = (): Value =>
      build.concat(
        [key, value].map((state) => build.unsqueeze(state, [0])),
        0,
      );
    return [output, context.reads(1) ? present() : undefined];
  },
  // query, key, value, bias [2 H + V], key padding mask, attention bias, past key and value [B, heads, P, D]
  MultiHeadAttention: (context) => {
    const { input, has } = context;
    if (has(8) || has(9)) throw context.refuse('a past state in a buffer that is shared with the present one');
    const { query, key: own, value: ownValue, headSize, width } = separated(context);
    const key = behind(context, has(6) ? input(6) : undefined, own);
    const value = behind(context, has(7) ? input(7) : undefined, ownValue);
    const mask = has(4) ? 4 : undefined;
    return [
      attend(context, { query, key, value, headSize, width, mask, bias: has(5) ? input(5) : undefined }),
      key,
      value,
    ];
  },
  // ids [B, S], segments?, word, position and segment embeddings, gamma, beta, mask?, position ids?
  EmbedLayerNormalization: (context) => {
    const { build, input, has, node } = context;
    const words = build.gather(input(2), input(0));
    const positions = has(8) ? build.gather(input(3), input(8)) : firstPositions(context);
    const places = build.add(words, positions);
    const sum = has(1) ? build.add(places, build.gather(input(4), input(1))) : places;
    const output = build.layerNormalization(sum, input(5), input(6), floatOf(node, 'epsilon', 1e-12));
    const { code } = DATA_TYPES.int32;
    const counted = has(7) ? input(7) : build.cast(build.sub(input(0), input(0)), code);
    return [output, context.reads(1) ? build.cast(build.reduceSum(counted, [1], false), code) : undefined, sum];
  },
} satisfies Record<string, Expansion>;

/** Query, key and value of MultiHeadAttention, each [B, heads, length, D]. */
interface Separated {
  readonly query: Value;
  readonly key: Value;
  readonly value: Value;
  readonly headSize: number;
  /** Of all heads of the value. */
  readonly width: number;
}

/**
 * The forms in which the inputs may come: each [B, length, heads D]; key and value [B, heads, T, D] already; all three
 * packed as [B, S, heads, 3, D]; or key and value packed as [B, T, heads, 2, D].
 */
function separated(context: ExpansionContext): Separated {
  const { build, input, has, shapeOf } = context;
  const heads = headsOf(context);
  const last = (index: number): number => {
    const dim = shapeOf(index).at(-1);
    if (typeof dim !== 'number') throw context.refuse('an unknown hidden size');
    return dim;
  };
  const flat = (index: number): boolean => has(index) && shapeOf(index).length === 3;
  const packed = (index: number): boolean => has(index) && shapeOf(index).length === 5;
  const unpacked = (index: number, count: number): Value[] =>
    build
      .split(input(index), new Array<number>(count).fill(1), 3)
      .map((part) => build.transpose(build.squeeze(part, [3]), [0, 2, 1, 3]));
  if (packed(0) && !has(1) && !has(2)) {
    const size = last(0);
    const parts = withBiases(context, unpacked(0, 3), [size, size, size]);
    const [query, key, value] = parts as [Value, Value, Value];
    return { query, key, value, headSize: size, width: heads * size };
  }
  if (!flat(0) || !has(1)) throw context.refuse('this form of query, key and value');
  const headSize = headSizeOf(context, last(0), heads);
  const query = byHead(context, input(0), heads, headSize);
  if (packed(1) && !has(2)) {
    const [key, value] = unpacked(1, 2) as [Value, Value];
    const [a, b, c] = withBiases(context, [query, key, value], [headSize, headSize, headSize]);
    return { query: a!, key: b!, value: c!, headSize, width: heads * headSize };
  }
  if (flat(1) && flat(2)) {
    const valueSize = headSizeOf(context, last(2), heads);
    const [key, value] = [byHead(context, input(1), heads, headSize), byHead(context, input(2), heads, valueSize)];
    const [a, b, c] = withBiases(context, [query, key, value], [headSize, headSize, valueSize]);
    return { query: a!, key: b!, value: c!, headSize, width: last(2) };
  }
  if (has(2) && shapeOf(1).length === 4 && shapeOf(2).length === 4) {
    // Keys and values that came out of a cross attention before have their biases.
    const [a] = withBiases(context, [query], [headSize, headSize, last(2)]);
    return { query: a!, key: input(1), value: input(2), headSize, width: heads * last(2) };
  }
  throw context.refuse('this form of query, key and value');
}

/** Each [B, heads, length, D] with its part of input 3, where there is one. */
function withBiases(context: ExpansionContext, values: readonly Value[], sizes: readonly number[]): readonly Value[] {
  const { build, input, has } = context;
  if (!has(3)) return values;
  const heads = headsOf(context);
  const parts = build.split(
    input(3),
    sizes.map((size) => heads * size),
    0,
  );
  return values.map((value, index) =>
    build.add(value, build.reshape(parts[index]!, build.int64s([heads, 1, sizes[index]!]))),
  );
}

/** Keys or values after those of the past. */
function behind({ build }: ExpansionContext, past: Value | undefined, present: Value): Value {
  return past === undefined ? present : build.concat([past, present], 2);
}

/** The lowest float32, which ONNX Runtime gives scores that do not count. */
export const LOWEST = -3.4028234663852886e38;

export function headsOf({ node, refuse }: ExpansionContext, attribute = 'num_heads'): number {
  const heads = intOf(node, attribute, 0);
  if (heads < 1) throw refuse(`${attribute} ${heads}`);
  return heads;
}

/** How many elements each of the heads has. */
export function headSizeOf({ refuse }: ExpansionContext, width: number, heads: number): number {
  const size = width / heads;
  if (!Number.isInteger(size)) throw refuse(`a hidden size of ${width} for ${heads} heads`);
  return size;
}

/** [B, S, heads D] to [B, heads, S, D]. */
export function byHead({ build }: ExpansionContext, x: Value, heads: number, size: number): Value {
  return build.transpose(build.reshape(x, build.int64s([0, 0, heads, size])), [0, 2, 1, 3]);
}

interface Heads {
  readonly query: Value;
  readonly key: Value;
  readonly value: Value;
  readonly headSize: number;
  readonly width: number;
  /** Which input is the mask. */
  readonly mask: number | undefined;
  /** Added to the scores [B, heads, S, T]. */
  readonly bias: Value | undefined;
}

/** softmax(q kᵀ scale + masks) v, the heads side by side again: [B, S, width]. */
function attend(context: ExpansionContext, { query, key, value, headSize, width, mask, bias }: Heads): Value {
  const { build, node } = context;
  const given = floatOf(node, 'scale', 0);
  const scale = number(context, given === 0 ? 1 / Math.sqrt(headSize) : given);
  let scores = build.mul(build.matMul(query, build.transpose(key, [0, 1, 3, 2])), scale);
  if (bias !== undefined) scores = build.add(scores, bias);
  if (mask !== undefined) scores = build.add(scores, maskOf(context, mask, scores));
  if (intOf(node, 'unidirectional', 0) !== 0) scores = causal(context, scores);
  const heads = build.matMul(build.softmax(scores), value);
  return build.reshape(build.transpose(heads, [0, 2, 1, 3]), build.int64s([0, 0, width]));
}

/** What to add to the scores [B, heads, S, T]: the filter value where the mask says no. */
function maskOf(context: ExpansionContext, index: number, scores: Value): Value {
  const { build, input, node, shapeOf } = context;
  const [filter, none] = [number(context, floatOf(node, 'mask_filter_value', -10000)), number(context, 0)];
  const mask = build.cast(input(index), DATA_TYPES.int64.code);
  const shape = shapeOf(index);
  const chosen = (open: Value): Value => build.where(open, none, filter);
  const zero = build.scalar(0, 'int64');
  if (shape.length === 2) return build.unsqueeze(chosen(build.greater(mask, zero)), [1, 2]); // [B, T]
  if (shape.length === 3) return build.unsqueeze(chosen(build.greater(mask, zero)), [1]); // [B, S, T]
  const batch = shapeOf(0)[0]!;
  const places = (): Value => upTo(context, scores, 3);
  const before = (ends: Value): Value => build.less(places(), build.unsqueeze(ends, [1, 2, 3]));
  // How many keys there are, of each in the batch; or where they end, and where they begin.
  if (shape.length === 1 && equalDimensions(shape[0]!, batch)) return chosen(before(mask));
  if (shape.length === 1 && equalDimensions(shape[0]!, multiplyDimensions(batch, 2))) {
    const [ends, starts] = build.node('Split', [mask], { attributes: { axis: int(0) }, outputs: 2 });
    return chosen(build.op('And', [before(ends!), build.op('Not', [before(starts!)])]));
  }
  throw context.refuse(`a mask of ${shape.length} dimensions that is not one or two numbers for each of the batch`);
}

/** 0, 1, 2, … along an axis of a value. */
export function upTo({ build }: ExpansionContext, value: Value, axis: number): Value {
  const count = build.squeeze(build.gather(build.shape(value), build.int64s([axis])), [0]);
  return build.op('Range', [build.scalar(0, 'int64'), count, build.scalar(1, 'int64')]);
}

/** The scores with those of keys behind their query taken out; the last query is that of the last key. */
function causal(context: ExpansionContext, scores: Value): Value {
  const { build } = context;
  const shape = build.shape(scores);
  const [queries, keys] = [2, 3].map((axis) => build.squeeze(build.gather(shape, build.int64s([axis])), [0]));
  const own = build.add(upTo(context, scores, 2), build.sub(keys!, queries!));
  const later = build.greater(upTo(context, scores, 3), build.unsqueeze(own, [1]));
  return build.where(later, number(context, LOWEST), scores);
}

/** The first rows of the position embeddings, one for each token. */
function firstPositions(context: ExpansionContext): Value {
  return context.build.gather(context.input(3), upTo(context, context.input(0), 1));
}
