import { describe, expect, it } from 'vitest';
import { sizeOf, tensor } from '../../src/base/index.ts';
import { check, inferShapes } from '../../src/graph/index.ts';
import { bufferUpdates, IMAGE_ARCHITECTURES, type ImageArchitectureName, trainingForm } from '../../src/nn/index.ts';
import { openSession } from '../../src/runtime/index.ts';
import { trainableParameters } from '../../src/train/index.ts';

const build = (
  name: ImageArchitectureName,
  options: Partial<Parameters<(typeof IMAGE_ARCHITECTURES)[typeof name]['build']>[0]> = {},
) => IMAGE_ARCHITECTURES[name].build({ channels: 3, side: 32, classes: 1000, ...options });

/** Parameters that torchvision 0.20 lists for its models of 1,000 classes. */
describe('image models have the parameters of torchvision', () => {
  it.each([
    ['resnet-18', 11_689_512],
    ['mobilenet-v3-small', 2_542_856],
  ] as const)('%s: %i', (name, count) => {
    const model = build(name);
    const dims = new Map([...model.graph.initializers].map(([initializer, value]) => [initializer, value.dims]));
    const trained = trainableParameters(model);
    expect(trained.reduce((sum, parameter) => sum + sizeOf(dims.get(parameter)!), 0)).toBe(count);
    expect(trained.every((parameter) => /\.(weight|bias)$/.test(parameter))).toBe(true);
  });

  it.each([
    ['resnet-18', 'layer2.0.downsample.0.weight', [128, 64, 1, 1]],
    ['resnet-18', 'layer4.1.bn2.running_var', [512]],
    ['resnet-18', 'fc.weight', [1000, 512]],
    ['mobilenet-v3-small', 'features.1.block.1.fc1.weight', [8, 16, 1, 1]],
    ['mobilenet-v3-small', 'features.4.block.2.fc2.bias', [96]],
    ['mobilenet-v3-small', 'features.12.1.running_mean', [576]],
    ['mobilenet-v3-small', 'classifier.3.weight', [1000, 1024]],
  ] as const)('%s has %s', (name, parameter, dims) => {
    expect(build(name).graph.initializers.get(parameter)?.dims).toEqual(dims);
  });
});

describe.each(Object.keys(IMAGE_ARCHITECTURES) as ImageArchitectureName[])('%s', (name) => {
  it('gives a row of logits an image, in both forms, for grey and for colours', async () => {
    for (const channels of [1, 3] as const) {
      const model = build(name, { channels, classes: 4 });
      check(model);
      check(inferShapes(trainingForm(model)).model);
      const pixels = Float32Array.from({ length: 2 * channels * 32 * 32 }, (_, at) => Math.sin(at));
      const session = await openSession(model);
      const { logits } = await session.run({ pixel_values: tensor('float32', [2, channels, 32, 32], pixels) });
      await session.close();
      expect(logits!.dims).toEqual([2, 4]);
      expect(Array.from(logits!.data as Float32Array).every(Number.isFinite)).toBe(true);
    }
  });

  it('begins the same for the same seed alone', () => {
    const weights = (seed: number) =>
      build(name, { classes: 3, seed }).graph.initializers.get(
        name === 'mobilenet-v3-small' ? 'features.0.0.weight' : 'conv1.weight',
      );
    expect(weights(1)).toEqual(weights(1));
    expect(weights(1)).not.toEqual(weights(2));
  });

  it('moves the statistics of every batch normalization', () => {
    const model = build(name);
    const norms = model.graph.nodes.filter(({ opType }) => opType === 'BatchNormalization').length;
    expect(bufferUpdates(trainingForm(model))).toHaveLength(2 * norms);
  });
});
