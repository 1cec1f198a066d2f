import { type Attributes, float, int, ints, type Value } from '../../graph/index.ts';
import type { Build } from '../build.ts';
import { parameter } from '../parameter.ts';

export interface ConvolutionOptions {
  readonly inputs: number;
  readonly outputs: number;
  readonly kernel: number;
  readonly stride?: number;
  readonly groups?: number;
}

/** A convolution without bias whose output has the size of its input, divided by the stride: [batch, outputs, h, w]. */
export function convolution(build: Build, x: Value, name: string, options: ConvolutionOptions): Value {
  const { inputs, outputs, kernel, stride = 1, groups = 1 } = options;
  const pad = kernel >> 1;
  const weight = parameter(build, `${name}.weight`, [outputs, inputs / groups, kernel, kernel], {
    // He et al. (2015), by the outputs, as torchvision begins.
    normal: Math.sqrt((2 * groups) / (outputs * kernel * kernel)),
  });
  const attributes: Attributes = {
    kernel_shape: ints([kernel, kernel]),
    strides: ints([stride, stride]),
    pads: ints([pad, pad, pad, pad]),
    group: int(groups),
  };
  return build.graph.node('Conv', [x, weight], {
    attributes,
    name: build.graph.unique(name),
    hint: `${name}.output`,
  })[0]!;
}

export interface BatchNormOptions {
  readonly epsilon?: number;
  /** Share of the running statistics that a step keeps: 1 less PyTorch's momentum. */
  readonly momentum?: number;
  /** What the scale begins as. */
  readonly scale?: 'ones' | 'zeros';
}

/** Batch normalization by running statistics; `trainingForm` makes it one by the batch. Parameters as PyTorch names them. */
export function batchNorm(
  build: Build,
  x: Value,
  name: string,
  channels: number,
  { epsilon = 1e-5, momentum = 0.9, scale = 'ones' }: BatchNormOptions = {},
): Value {
  const initial = { weight: scale, bias: 'zeros', running_mean: 'zeros', running_var: 'ones' } as const;
  const parameters = Object.entries(initial).map(([part, value]) =>
    parameter(build, `${name}.${part}`, [channels], value),
  );
  return build.graph.node('BatchNormalization', [x, ...parameters], {
    attributes: { epsilon: float(epsilon), momentum: float(momentum) },
    name: build.graph.unique(name),
    hint: `${name}.output`,
  })[0]!;
}

/** The mean of each channel: [batch, channels, h, w] → [batch, channels]. */
export function pooled({ graph }: Build, x: Value): Value {
  return graph.node('Flatten', [graph.node('GlobalAveragePool', [x])[0]!])[0]!;
}

export function relu({ graph }: Build, x: Value): Value {
  return graph.node('Relu', [x])[0]!;
}
