import { floatOf, intOf } from '../../attributes.ts';
import type { Value } from '../../builder.ts';
import { byHead, headSizeOf, headsOf, LOWEST, upTo } from './attention.ts';
import { type Expansion, type ExpansionContext, number } from './expansion.ts';
import { turnedBy } from './rotary.ts';

/** Attention as decoders have it: several heads of queries share one of keys and values (Ainslie et al. 2023). */
export const GROUPED_ATTENTION = {
  // query [B, S, heads D] (or all three, packed), key and value [B, S, key heads D], past key and value [B, key heads, P, D],
  // lengths, the longest length, cos and sin [places, D/2], positions, attention bias, sinks [heads]
  GroupQueryAttention: (context) => {
    const { build, has, input, node, shapeOf } = context;
    for (const index of [3, 4]) {
      if (has(index) && shapeOf(index)[2] !== 0) {
        throw context.refuse('a past state: fix its length (dimension 2 of past key and value) to 0');
      }
    }
    for (const attribute of ['k_quant_type', 'v_quant_type']) {
      if (node.attributes.has(attribute)) throw context.refuse(attribute);
    }
    const heads = headsOf(context);
    const keyHeads = headsOf(context, 'kv_num_heads');
    if (heads % keyHeads !== 0) throw context.refuse(`${keyHeads} heads of keys for ${heads} of queries`);
    const width = shapeOf(0)[2];
    if (typeof width !== 'number') throw context.refuse('an unknown hidden size');
    const size = headSizeOf(context, width, has(1) ? heads : heads + 2 * keyHeads);
    const [q, k, v] = has(1)
      ? [input(0), input(1), input(2)]
      : (build.split(input(0), [heads * size, keyHeads * size, keyHeads * size], 2) as [Value, Value, Value]);
    const turn = rotation(context, size);
    const query = turn(byHead(context, q, heads, size));
    const key = turn(byHead(context, k, keyHeads, size));
    const value = byHead(context, v, keyHeads, size);
    const shared = (x: Value): Value => repeated(context, x, heads, keyHeads, size);
    const scale = floatOf(node, 'scale', 0) || 1 / Math.sqrt(size);
    const products = build.mul(build.matMul(query, build.transpose(shared(key), [0, 1, 3, 2])), number(context, scale));
    const capped = softCapped(context, products);
    const biased = has(10) ? build.add(capped, input(10)) : capped;
    const weights = weightsOf(context, visible(context, biased), heads);
    const output = build.transpose(build.matMul(weights, shared(value)), [0, 2, 1, 3]);
    return [build.reshape(output, build.int64s([0, 0, heads * size])), key, value];
  },
} satisfies Record<string, Expansion>;

/** Each head of keys for all the heads of queries that share it: [B, heads, S, D]. */
function repeated({ build }: ExpansionContext, x: Value, heads: number, keyHeads: number, size: number): Value {
  if (heads === keyHeads) return x;
  const copies = new Array<Value>(heads / keyHeads).fill(build.unsqueeze(x, [2]));
  return build.reshape(build.concat(copies, 2), build.int64s([0, heads, -1, size]));
}

function rotation(context: ExpansionContext, size: number): (x: Value) => Value {
  const { build, has, input, node, shapeOf } = context;
  if (intOf(node, 'do_rotary', 0) === 0) return (x) => x;
  const half = shapeOf(7)[1];
  if (typeof half !== 'number' || 2 * half > size) throw context.refuse('a cache of unknown or unfit shape');
  const places = has(9) ? input(9) : build.unsqueeze(upTo(context, input(0), 1), [0]);
  const interleaved = intOf(node, 'rotary_interleaved', 0) !== 0;
  return (x) =>
    turnedBy(context, x, {
      half,
      cos: input(7),
      sin: input(8),
      places,
      axis: 1,
      whole: 2 * half === size,
      interleaved,
    });
}

// cap tanh(x / cap)
function softCapped(context: ExpansionContext, scores: Value): Value {
  const { build, node } = context;
  const cap = floatOf(node, 'softcap', 0);
  if (cap === 0) return scores;
  return build.mul(build.op('Tanh', [build.div(scores, number(context, cap))]), number(context, cap));
}

/** The scores with those of later keys taken out, and those of keys further back than the window. */
function visible(context: ExpansionContext, scores: Value): Value {
  const { build, node } = context;
  const queries = build.unsqueeze(upTo(context, scores, 2), [1]);
  const keys = upTo(context, scores, 3);
  const window = intOf(node, 'local_window_size', -1);
  const later = build.greater(keys, queries);
  const far = (): Value => build.less(keys, build.sub(queries, build.scalar(window - 1, 'int64')));
  return build.where(window < 0 ? later : build.op('Or', [later, far()]), number(context, LOWEST), scores);
}

/** Softmax, beside one more score that takes a share and gives nothing: 0 (smooth), or one for each head. */
function weightsOf(context: ExpansionContext, scores: Value, heads: number): Value {
  const { build, has, input, node } = context;
  const smooth = intOf(node, 'smooth_softmax', 0) === 1;
  if (!smooth && !has(11)) return build.softmax(scores);
  const sink = has(11) ? build.reshape(input(11), build.int64s([1, heads, 1, 1])) : number(context, 0);
  const column = build.slice(scores, [0], [1], [3]);
  const share = build.add(build.sub(column, column), sink); // [B, heads, S, 1]
  return build.slice(build.softmax(build.concat([share, scores], 3)), [1], [2 ** 31 - 1], [3]);
}
