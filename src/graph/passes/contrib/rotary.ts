import { floatOf, intOf } from '../../attributes.ts';
import type { Value } from '../../builder.ts';
import type { Expansion, ExpansionContext } from './expansion.ts';

/** Rotary position embeddings (Su et al. 2021): pairs of a head's elements turned by an angle that grows with the place. */
export const ROTARY = {
  // x [B, S, heads D] or [B, heads, S, D], positions [B, S] or the first one, cos and sin [places, turned/2]
  RotaryEmbedding: (context) => {
    const { build, input, node, shapeOf } = context;
    const shape = shapeOf(0);
    const half = shapeOf(2)[1];
    if (typeof half !== 'number') throw context.refuse('a cache of unknown shape');
    if (intOf(node, 'is_packed_batching', 0) !== 0) throw context.refuse('packed batches');
    if (floatOf(node, 'scale', 1) !== 1) throw context.refuse('a scale');
    const flat = shape.length === 3;
    const heads = intOf(node, 'num_heads', 0);
    const partial = intOf(node, 'rotary_embedding_dim', 0) !== 0;
    if (flat && partial && heads < 1) throw context.refuse('rotary_embedding_dim without num_heads');
    const parts = partial && heads > 0 ? [heads, -1] : [-1, 2 * half];
    const x = flat ? build.reshape(input(0), build.int64s([0, 0, ...parts])) : input(0); // [B, S, heads, D] or [B, heads, S, D]
    const turned = turnedBy(context, x, {
      half,
      cos: input(2),
      sin: input(3),
      places: positionsOf(context, flat ? 1 : 2),
      axis: flat ? 2 : 1,
      whole: flat ? parts[1] === 2 * half : shape[3] === 2 * half,
      interleaved: intOf(node, 'interleaved', 0) !== 0,
    });
    return [flat ? build.reshape(turned, build.shape(input(0))) : turned];
  },
} satisfies Record<string, Expansion>;

export interface Turning {
  /** Pairs that are turned; what a head has beyond them stays. */
  readonly half: number;
  /** [places, half] */
  readonly cos: Value;
  readonly sin: Value;
  /** [B or 1, S] */
  readonly places: Value;
  /** Of the heads. */
  readonly axis: number;
  /** Whether all elements of a head are turned. */
  readonly whole: boolean;
  /** Whether neighbours are pairs, rather than elements of two halves. */
  readonly interleaved: boolean;
}

/** The heads of x, each with four axes and its elements last, turned by the angles of their places. */
export function turnedBy(context: ExpansionContext, x: Value, turning: Turning): Value {
  const { build } = context;
  const { half, places, axis, interleaved } = turning;
  const angles = [turning.cos, turning.sin].map((cache) => build.unsqueeze(build.gather(cache, places), [axis])) as [
    Value,
    Value,
  ];
  const turned = (part: Value): Value =>
    interleaved ? pairs(context, part, half, angles) : halves(context, part, half, angles);
  if (turning.whole) return turned(x);
  const rest = build.slice(x, [2 * half], [2 ** 31 - 1], [3]);
  return build.concat([turned(build.slice(x, [0], [2 * half], [3])), rest], 3);
}

function positionsOf(context: ExpansionContext, axis: number): Value {
  const { build, input, shapeOf } = context;
  if (shapeOf(1).length === 2) return input(1);
  const count = build.squeeze(build.gather(build.shape(input(0)), build.int64s([axis])), [0]);
  const places = build.op('Range', [build.scalar(0, 'int64'), count, build.scalar(1, 'int64')]);
  return build.unsqueeze(build.add(places, input(1)), [0]);
}

type Angles = readonly [cos: Value, sin: Value];

// (a, b) to (a cos - b sin, b cos + a sin)
function rotate({ build }: ExpansionContext, a: Value, b: Value, [cos, sin]: Angles): readonly [Value, Value] {
  return [build.sub(build.mul(a, cos), build.mul(b, sin)), build.add(build.mul(b, cos), build.mul(a, sin))];
}

/** Element k of the first half with element k of the second. */
function halves(context: ExpansionContext, x: Value, half: number, angles: Angles): Value {
  const { build } = context;
  const [a, b] = build.split(x, [half, half], 3) as [Value, Value];
  return build.concat(rotate(context, a, b, angles), 3);
}

/** Each element of an even place with the next one. */
function pairs(context: ExpansionContext, x: Value, half: number, angles: Angles): Value {
  const { build } = context;
  const [a, b] = [0, 1].map((start) => build.slice(x, [start], [2 * half], [3], [2])) as [Value, Value];
  const turned = rotate(context, a, b, angles).map((value) => build.unsqueeze(value, [4]));
  return build.reshape(build.concat(turned, 4), build.shape(x));
}
