import { DATA_TYPES } from '../../../base/dtype.ts';
import { floatOf, intOf, intsOf } from '../../attributes.ts';
import type { Value } from '../../builder.ts';
import { type Expansion, type ExpansionContext, number } from './expansion.ts';

/** Attention over sequences, and the embedding of token ids with which BERT begins. */
export const ATTENTION = {
  // input [B, S, I], weights [I, 3 H], bias [3 H], mask
  Attention: (context) => {
    const { build, input, has, node, shapeOf } = context;
    if (has(4)) throw context.refuse('a past state');
    if (context.reads(1)) throw context.refuse('the present state as an output');
    if (intOf(node, 'do_rotary', 0) !== 0) throw context.refuse('do_rotary');
    const width = shapeOf(1)[1];
    const given = intsOf(node, 'qkv_hidden_sizes');
    if (typeof width !== 'number') throw context.refuse('weights of unknown shape');
    const sizes = given !== undefined && given.length === 3 ? given : [width / 3, width / 3, width / 3];
    const product = build.matMul(input(0), input(1));
    const packed = has(2) ? build.add(product, input(2)) : product;
    const [q, k, v] = build.split(packed, sizes, 2) as [Value, Value, Value];
    const heads = headsOf(context);
    return [
      attend(context, {
        query: byHead(context, q, sizes[0]! / heads),
        key: byHead(context, k, sizes[1]! / heads),
        value: byHead(context, v, sizes[2]! / heads),
        headSize: sizes[0]! / heads,
        width: sizes[2]!,
        mask: has(3) ? 3 : undefined,
        bias: has(5) ? input(5) : undefined,
      }),
    ];
  },
  // query [B, S, H], key [B, T, H], value [B, T, V], bias [2 H + V], key padding mask, attention bias
  MultiHeadAttention: (context) => {
    const { build, input, has, shapeOf } = context;
    if (has(6) || has(7)) throw context.refuse('a past state');
    if (context.reads(1) || context.reads(2)) throw context.refuse('the present state as an output');
    if (!has(1) || !has(2)) throw context.refuse('query, key and value in one tensor');
    const shapes = [shapeOf(0), shapeOf(1), shapeOf(2)];
    if (shapes.some((shape) => shape.length !== 3)) throw context.refuse('inputs that do not have 3 dimensions');
    const [hidden, , width] = shapes.map((shape) => shape[2]);
    if (typeof hidden !== 'number' || typeof width !== 'number') throw context.refuse('an unknown hidden size');
    const heads = headsOf(context);
    const sizes = [hidden, hidden, width];
    const biases = has(3) ? build.split(input(3), sizes, 0) : undefined;
    const [query, key, value] = sizes.map((size, index) => {
      const x = biases === undefined ? input(index) : build.add(input(index), biases[index]!);
      return byHead(context, x, size / heads);
    }) as [Value, Value, Value];
    const mask = has(4) ? 4 : undefined;
    return [
      attend(context, {
        query,
        key,
        value,
        headSize: hidden / heads,
        width,
        mask,
        bias: has(5) ? input(5) : undefined,
      }),
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

function headsOf(context: ExpansionContext): number {
  const heads = intOf(context.node, 'num_heads', 0);
  if (heads < 1) throw context.refuse(`num_heads ${heads}`);
  return heads;
}

/** [B, S, heads D] to [B, heads, S, D]. */
function byHead(context: ExpansionContext, x: Value, size: number): Value {
  const { build } = context;
  return build.transpose(build.reshape(x, build.int64s([0, 0, headsOf(context), size])), [0, 2, 1, 3]);
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
  if (shape.length === 1 && shape[0] === shapeOf(0)[0]) {
    // How many keys there are, of each in the batch.
    return chosen(build.less(upTo(context, scores, 3), build.unsqueeze(mask, [1, 2, 3])));
  }
  throw context.refuse(`a mask of ${shape.length} dimensions that is not one number for each of the batch`);
}

/** 0, 1, 2, … along an axis of a value. */
function upTo({ build }: ExpansionContext, value: Value, axis: number): Value {
  const count = build.squeeze(build.gather(build.shape(value), build.int64s([axis])), [0]);
  return build.op('Range', [build.scalar(0, 'int64'), count, build.scalar(1, 'int64')]);
}

/** The scores with those of keys behind their query taken out. */
function causal(context: ExpansionContext, scores: Value): Value {
  const { build } = context;
  const queries = build.unsqueeze(upTo(context, scores, 2), [1]);
  const behind = build.greater(upTo(context, scores, 3), queries);
  return build.where(behind, number(context, -3.4028234663852886e38), scores);
}

/** The first rows of the position embeddings, one for each token. */
function firstPositions(context: ExpansionContext): Value {
  return context.build.gather(context.input(3), upTo(context, context.input(0), 1));
}
