import { GraphBuilder } from '../../graph/index.ts';
import { elementwiseKernel } from '../../runtime/index.ts';
import type { Optimizer } from './optimizer.ts';
import { updateModel } from './update-model.ts';

/** One parameter with all that belongs to it, each in memory of its own, of one length. */
export interface ParameterMemory {
  readonly parameter: Float32Array;
  readonly gradient: Float32Array;
  /** By the optimizer's names. */
  readonly state: Readonly<Record<string, Float32Array>>;
  readonly decays: boolean;
}

/** What a step does to memory after ONNX Runtime has given the gradients: each function one pass, in place. */
export interface UpdateKernels {
  /** sum += part */
  add(sum: Float32Array, part: Float32Array): void;
  /** The sum of all squares, in float64. */
  sumOfSquares(gradient: Float32Array): number;
  /** The optimizer's update, by the gradient times `gradientScale`. */
  update(memory: ParameterMemory, gradientScale: number, scalars: Readonly<Record<string, number>>): void;
}

export function updateKernels(optimizer: Optimizer): UpdateKernels {
  const [decaying, kept] = [true, false].map((decays) => {
    const { model, into } = updateModel(optimizer, { decays });
    return elementwiseKernel(model, { into });
  });
  const adding = addingKernel();
  const squaring = squaringKernel();
  return {
    add: (sum, part) => void adding.run({ sum, part }),
    sumOfSquares: (gradient) => squaring.run({ gradient }),
    update: ({ parameter, gradient, state, decays }, gradientScale, scalars) =>
      void (decays ? decaying! : kept!).run(
        { parameter, gradient, ...state },
        { ...scalars, gradient_scale: gradientScale },
      ),
  };
}

function addingKernel() {
  const b = new GraphBuilder();
  const next = b.add(b.input('sum', 'float32', ['elements']), b.input('part', 'float32', ['elements']));
  b.output(next);
  return elementwiseKernel(b.build(), { into: { [next]: 'sum' } });
}

function squaringKernel() {
  const b = new GraphBuilder();
  const gradient = b.input('gradient', 'float32', ['elements']);
  const square = b.mul(gradient, gradient);
  b.output(square);
  return elementwiseKernel(b.build(), { sum: square });
}
