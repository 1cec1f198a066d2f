import { floatOf, intOf } from '../../attributes.ts';
import type { Value } from '../../builder.ts';
import { type Expansion, type ExpansionContext, number } from './expansion.ts';

/** Normalizations with a sum before them, and those by the root mean square alone. */
export const NORMALIZATIONS = {
  // input [B, S, H], skip (of a shape that broadcasts), gamma, beta?, bias?: output, mean, inverse deviation, sum
  SkipLayerNormalization: (context) => {
    const { build, input, has, reads } = context;
    const sum = sumOf(context, has(4) ? 4 : undefined);
    const results = build.node('LayerNormalization', [sum, input(2), has(3) ? input(3) : undefined], {
      attributes: { axis: { kind: 'int', value: -1 }, epsilon: { kind: 'float', value: epsilonOf(context, 1e-12) } },
      outputs: reads(1) || reads(2) ? 3 : 1,
    });
    return [results[0], results[1], results[2], sum];
  },
  // input, skip, gamma, bias?
  SkipSimplifiedLayerNormalization: (context) => {
    const sum = sumOf(context, context.has(3) ? 3 : undefined);
    if (context.reads(1) || context.reads(2)) throw context.refuse('its statistics as outputs');
    const { output } = rootMeanSquare(context, sum, context.input(2), epsilonOf(context, 1e-12));
    return [output, undefined, undefined, sum];
  },
  SimplifiedLayerNormalization: (context) => {
    const { node, input, shapeOf } = context;
    const axis = intOf(node, 'axis', -1);
    if (axis !== -1 && axis !== shapeOf(0).length - 1) throw context.refuse(`axis ${axis}, which is not the last`);
    const { output, inverse } = rootMeanSquare(context, input(0), input(1), epsilonOf(context, 1e-5));
    return [output, inverse];
  },
} satisfies Record<string, Expansion>;

function epsilonOf({ node }: ExpansionContext, fallback: number): number {
  return floatOf(node, 'epsilon', fallback);
}

function sumOf({ build, input }: ExpansionContext, bias: number | undefined): Value {
  const first = bias === undefined ? input(0) : build.add(input(0), input(bias));
  return build.add(first, input(1));
}

// x / √(mean(x²) + epsilon), times the scale
function rootMeanSquare(
  context: ExpansionContext,
  x: Value,
  scale: Value,
  epsilon: number,
): { readonly output: Value; readonly inverse: Value } {
  const { build } = context;
  const mean = build.reduceMean(build.mul(x, x), [-1]);
  const inverse = build.op('Reciprocal', [build.sqrt(build.add(mean, number(context, epsilon)))]);
  return { output: build.mul(build.mul(x, inverse), scale), inverse };
}
