import { GraphBuilder, ints, type Model, type Value } from '../../graph/index.ts';
import type { Build, ParameterSource } from '../build.ts';
import { linear } from '../layers/linear.ts';
import { batchNorm, convolution, pooled, relu } from './layers.ts';

/** A residual network of basic blocks: two convolutions 3 × 3 beside a shortcut. */
export interface ResNetShape {
  /** `large` halves an image twice before the first block (7 × 7 and pooling), `small` not at all (3 × 3). */
  readonly stem: 'large' | 'small';
  /** Channels and blocks of each stage; each but the first halves the image. */
  readonly stages: readonly (readonly [channels: number, blocks: number])[];
}

/**
 * He et al. (2015): `resnet-18` of their table 1, as torchvision builds it, and `resnet-8`, of three stages with one block
 * each, in the form that section 4.2 has for images of 32 × 32.
 */
export const RESNETS = {
  'resnet-8': {
    stem: 'small',
    stages: [
      [16, 1],
      [32, 1],
      [64, 1],
    ],
  },
  'resnet-18': {
    stem: 'large',
    stages: [
      [64, 2],
      [128, 2],
      [256, 2],
      [512, 2],
    ],
  },
} as const satisfies Readonly<Record<string, ResNetShape>>;

export interface ImageModelOptions {
  /** 1: grey, 3: colours. */
  readonly channels: 1 | 3;
  /** Pixels of a side of the images. */
  readonly side: number;
  readonly classes: number;
  readonly seed?: number;
  readonly weights?: ParameterSource;
}

/** Input `pixel_values` [batch, channels, side, side], output `logits` [batch, classes]; parameters as torchvision names them. */
export function resnet(shape: ResNetShape, options: ImageModelOptions): Model {
  const { channels, side, classes, seed = 0, weights } = options;
  const graph = new GraphBuilder();
  const build: Build = { graph, form: 'inference', seed, ...(weights && { weights }) };
  const [[first]] = shape.stages as readonly [readonly [number, number]];
  const isLarge = shape.stem === 'large';
  let x: Value = graph.input('pixel_values', 'float32', ['batch', channels, side, side]);
  x = convolution(build, x, 'conv1', {
    inputs: channels,
    outputs: first,
    kernel: isLarge ? 7 : 3,
    stride: isLarge ? 2 : 1,
  });
  x = relu(build, batchNorm(build, x, 'bn1', first));
  if (isLarge) {
    x = graph.node('MaxPool', [x], {
      attributes: { kernel_shape: ints([3, 3]), strides: ints([2, 2]), pads: ints([1, 1, 1, 1]) },
    })[0]!;
  }
  let inputs: number = first;
  for (const [stage, [outputs, blocks]] of shape.stages.entries()) {
    for (let block = 0; block < blocks; block++) {
      const stride = stage > 0 && block === 0 ? 2 : 1;
      x = basicBlock(build, x, `layer${stage + 1}.${block}`, { inputs, outputs, stride });
      inputs = outputs;
    }
  }
  const initialization = { normal: Math.sqrt(1 / (3 * inputs)) };
  const logits = linear(build, pooled(build, x), 'fc', { inputs, outputs: classes, initialization });
  graph.output(logits, { dtype: 'float32', shape: ['batch', classes] }, 'logits');
  return graph.build({ name: 'resnet' });
}

function basicBlock(
  build: Build,
  x: Value,
  name: string,
  { inputs, outputs, stride }: { readonly inputs: number; readonly outputs: number; readonly stride: number },
): Value {
  let y = convolution(build, x, `${name}.conv1`, { inputs, outputs, kernel: 3, stride });
  y = relu(build, batchNorm(build, y, `${name}.bn1`, outputs));
  y = convolution(build, y, `${name}.conv2`, { inputs: outputs, outputs, kernel: 3 });
  y = batchNorm(build, y, `${name}.bn2`, outputs);
  let shortcut = x;
  if (stride !== 1 || inputs !== outputs) {
    shortcut = convolution(build, x, `${name}.downsample.0`, { inputs, outputs, kernel: 1, stride });
    shortcut = batchNorm(build, shortcut, `${name}.downsample.1`, outputs);
  }
  return relu(build, build.graph.add(y, shortcut));
}
