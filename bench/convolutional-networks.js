import { float, GraphBuilder, int, ints } from 'lathe-ml/graph';
import { parameter } from 'lathe-ml/nn';

/** ResNet-18 (He et al., 2015) for images of 64 × 64, as torchvision has it. */
export function resnet18(classes) {
  const network = start(64);
  const { graph } = network;
  let x = convolution(network, 'x', 'conv1', { inputs: 3, outputs: 64, size: 7, stride: 2, activation: 'Relu' });
  x = graph.op('MaxPool', [x], { kernel_shape: ints([3, 3]), strides: ints([2, 2]), pads: ints([1, 1, 1, 1]) });
  let inputs = 64;
  for (const [stage, outputs] of [64, 128, 256, 512].entries()) {
    for (const block of [0, 1]) {
      const stride = stage > 0 && block === 0 ? 2 : 1;
      const name = `layer${stage + 1}.${block}`;
      const first = convolution(network, x, `${name}.conv1`, { inputs, outputs, size: 3, stride, activation: 'Relu' });
      const second = convolution(network, first, `${name}.conv2`, { inputs: outputs, outputs, size: 3 });
      const same = stride === 1 && inputs === outputs;
      const skip = same ? x : convolution(network, x, `${name}.downsample`, { inputs, outputs, size: 1, stride });
      x = graph.op('Relu', [graph.add(second, skip)]);
      inputs = outputs;
    }
  }
  return finish(network, linear(network, pooled(network, x), 'fc', inputs, classes), classes);
}

// kernel, expanded, outputs, squeeze-excite, activation, stride (Howard et al., 2019, table 2)
const MOBILENET_V3_SMALL = [
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

/** MobileNetV3-small (Howard et al., 2019) for images of 96 × 96, as torchvision has it. */
export function mobilenetV3Small(classes) {
  const network = start(96);
  const { graph } = network;
  let inputs = 16;
  let x = convolution(network, 'x', 'features.0', {
    inputs: 3,
    outputs: 16,
    size: 3,
    stride: 2,
    activation: 'HardSwish',
  });
  for (const [index, [size, expanded, outputs, squeezes, activation, stride]] of MOBILENET_V3_SMALL.entries()) {
    const name = `features.${index + 1}`;
    let y = x;
    if (expanded !== inputs)
      y = convolution(network, y, `${name}.expand`, { inputs, outputs: expanded, size: 1, activation });
    y = convolution(network, y, `${name}.depthwise`, {
      inputs: expanded,
      outputs: expanded,
      size,
      stride,
      groups: expanded,
      activation,
    });
    if (squeezes) y = graph.mul(gate(network, y, `${name}.gate`, expanded), y);
    y = convolution(network, y, `${name}.project`, { inputs: expanded, outputs, size: 1 });
    x = stride === 1 && inputs === outputs ? graph.add(x, y) : y;
    inputs = outputs;
  }
  x = convolution(network, x, 'features.12', { inputs, outputs: 576, size: 1, activation: 'HardSwish' });
  const hidden = graph.op('HardSwish', [linear(network, pooled(network, x), 'classifier.0', 576, 1024)]);
  return finish(network, linear(network, hidden, 'classifier.3', 1024, classes), classes);
}

function start(size) {
  const graph = new GraphBuilder({ opset: 17 });
  graph.input('x', 'float32', ['batch', 3, size, size]);
  return { graph, form: 'inference', seed: 0 };
}

function finish({ graph }, logits, classes) {
  graph.output(logits, { dtype: 'float32', shape: ['batch', classes] }, 'logits');
  return graph.build();
}

function convolution(network, x, name, { inputs, outputs, size, stride = 1, groups = 1, activation }) {
  const { graph } = network;
  const pad = size >> 1;
  const weight = parameter(network, `${name}.weight`, [outputs, inputs / groups, size, size], {
    normal: Math.sqrt((2 * groups) / (inputs * size * size)),
  });
  const y = graph.op('Conv', [x, weight], {
    kernel_shape: ints([size, size]),
    strides: ints([stride, stride]),
    pads: ints([pad, pad, pad, pad]),
    group: int(groups),
  });
  const norm = { scale: 'ones', bias: 'zeros', mean: 'zeros', variance: 'ones' };
  const statistics = Object.entries(norm).map(([part, initial]) =>
    parameter(network, `${name}.norm.${part}`, [outputs], initial),
  );
  const [z] = graph.node('BatchNormalization', [y, ...statistics], { attributes: { epsilon: float(1e-5) } });
  return activation === undefined ? z : graph.op(activation, [z]);
}

function gate(network, x, name, channels) {
  const { graph } = network;
  const squeezed = Math.max(8, 8 * Math.round(channels / 32));
  const pointwise = (value, part, inputs, outputs) => {
    const weight = parameter(network, `${name}.${part}.weight`, [outputs, inputs, 1, 1], {
      normal: Math.sqrt(2 / inputs),
    });
    return graph.op('Conv', [value, weight, parameter(network, `${name}.${part}.bias`, [outputs], 'zeros')]);
  };
  const reduced = graph.op('Relu', [pointwise(graph.op('GlobalAveragePool', [x]), 'reduce', channels, squeezed)]);
  return graph.op('HardSigmoid', [pointwise(reduced, 'expand', squeezed, channels)], { alpha: float(1 / 6) });
}

function pooled({ graph }, x) {
  return graph.op('Flatten', [graph.op('GlobalAveragePool', [x])]);
}

function linear(network, x, name, inputs, outputs) {
  const weight = parameter(network, `${name}.weight`, [outputs, inputs], { normal: Math.sqrt(1 / (3 * inputs)) });
  return network.graph.gemm(x, weight, parameter(network, `${name}.bias`, [outputs], 'zeros'), { b: true });
}
