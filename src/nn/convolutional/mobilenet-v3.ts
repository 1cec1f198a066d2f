import { float, GraphBuilder, type Model, type Value } from '../../graph/index.ts';
import type { Build } from '../build.ts';
import { linear } from '../layers/linear.ts';
import { parameter } from '../parameter.ts';
import { batchNorm, convolution, pooled, relu } from './layers.ts';
import type { ImageModelOptions } from './resnet.ts';

type Row = readonly [
  kernel: number,
  expanded: number,
  outputs: number,
  squeezes: boolean,
  activation: 'Relu' | 'HardSwish',
  stride: 1 | 2,
];

/** Howard et al. (2019), table 2. */
const SMALL: readonly Row[] = [
  [3, 16, 16, true, 'Relu', 2],
  [3, 72, 24, false, 'Relu', 2],
  [3, 88, 24, false, 'Relu', 1],
  [5, 96, 40, true, 'HardSwish', 2],
  [5, 240, 40, true, 'HardSwish', 1],
  [5, 240, 40, true, 'HardSwish', 1],
  [5, 120, 48, true, 'HardSwish', 1],
  [5, 144, 48, true, 'HardSwish', 1],
  [5, 288, 96, true, 'HardSwish', 2],
  [5, 576, 96, true, 'HardSwish', 1],
  [5, 576, 96, true, 'HardSwish', 1],
];
const LAST = 576;
const HIDDEN = 1024;
const NORM = { epsilon: 1e-3, momentum: 0.99 };

/** MobileNetV3-small, as torchvision builds it; inputs, outputs and names as of `resnet`. */
export function mobilenetV3Small(options: ImageModelOptions): Model {
  const { channels, side, classes, seed = 0, weights } = options;
  const graph = new GraphBuilder();
  const build: Build = { graph, form: 'inference', seed, ...(weights && { weights }) };
  const normed = (x: Value, name: string, shape: Parameters<typeof convolution>[3], activation?: Row[4]): Value => {
    const y = batchNorm(build, convolution(build, x, `${name}.0`, shape), `${name}.1`, shape.outputs, NORM);
    return activation === undefined ? y : graph.node(activation, [y])[0]!;
  };
  let inputs = 16;
  let x: Value = graph.input('pixel_values', 'float32', ['batch', channels, side, side]);
  x = normed(x, 'features.0', { inputs: channels, outputs: inputs, kernel: 3, stride: 2 }, 'HardSwish');
  for (const [index, [kernel, expanded, outputs, squeezes, activation, stride]] of SMALL.entries()) {
    let part = 0;
    const name = (): string => `features.${index + 1}.block.${part++}`;
    let y = x;
    if (expanded !== inputs) y = normed(y, name(), { inputs, outputs: expanded, kernel: 1 }, activation);
    y = normed(y, name(), { inputs: expanded, outputs: expanded, kernel, stride, groups: expanded }, activation);
    if (squeezes) y = squeezeExcitation(build, y, name(), expanded);
    y = normed(y, name(), { inputs: expanded, outputs, kernel: 1 });
    x = stride === 1 && inputs === outputs ? graph.add(x, y) : y;
    inputs = outputs;
  }
  x = normed(x, `features.${SMALL.length + 1}`, { inputs, outputs: LAST, kernel: 1 }, 'HardSwish');
  const initialization = { normal: 0.01 };
  const hidden = linear(build, pooled(build, x), 'classifier.0', { inputs: LAST, outputs: HIDDEN, initialization });
  const activated = graph.node('HardSwish', [hidden])[0]!;
  const logits = linear(build, activated, 'classifier.3', { inputs: HIDDEN, outputs: classes, initialization });
  graph.output(logits, { dtype: 'float32', shape: ['batch', classes] }, 'logits');
  return graph.build({ name: 'mobilenet-v3-small' });
}

function squeezeExcitation(build: Build, x: Value, name: string, channels: number): Value {
  const { graph } = build;
  const squeezed = divisible(channels / 4);
  const pointwise = (value: Value, part: string, inputs: number, outputs: number): Value => {
    const initialization = { normal: Math.sqrt(2 / outputs) };
    const weight = parameter(build, `${name}.${part}.weight`, [outputs, inputs, 1, 1], initialization);
    return graph.node('Conv', [value, weight, parameter(build, `${name}.${part}.bias`, [outputs], 'zeros')])[0]!;
  };
  const reduced = relu(build, pointwise(graph.node('GlobalAveragePool', [x])[0]!, 'fc1', channels, squeezed));
  const gate = graph.node('HardSigmoid', [pointwise(reduced, 'fc2', squeezed, channels)], {
    attributes: { alpha: float(1 / 6) },
  })[0]!;
  return graph.mul(gate, x);
}

/** The multiple of 8 that is nearest to a number of channels, and not more than a tenth below it. */
function divisible(channels: number): number {
  const rounded = Math.max(8, Math.floor((channels + 4) / 8) * 8);
  return rounded < 0.9 * channels ? rounded + 8 : rounded;
}
