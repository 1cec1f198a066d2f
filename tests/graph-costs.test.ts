import { describe, expect, it } from 'vitest';
import { graphCosts, inferTypes, readModel } from '../src/graph/index.ts';
import { fromConfig, IMAGE_ARCHITECTURES, presetConfig } from '../src/nn/index.ts';

describe('shapes of the products of quantized models are those of the ONNX cases', () => {
  it.each([
    'test_basic_convinteger',
    'test_convinteger_with_padding',
    'test_matmulinteger',
    'test_qlinearconv',
    'test_qlinearmatmul_2D',
    'test_qlinearmatmul_3D',
  ])('%s', async (name) => {
    const model = await readModel(`/usr/share/libonnx-testdata/data/node/${name}/model.onnx`);
    const [declared] = model.graph.outputs;
    const undeclared = { ...model, graph: { ...model.graph, outputs: [{ name: declared!.name }] } };
    expect(inferTypes(undeclared).get(declared!.name)?.type).toEqual(declared!.type);
    expect(graphCosts(undeclared).macs).toBeGreaterThan(0);
  });
});

describe('graphCosts', () => {
  it('ResNet-18 at 224 × 224 is 1.814 GMACs, as its table says', () => {
    // conv1: 64 × 112² × 147. Stages: 64 to 512 channels at 56² to 7²; a stage's four 3 × 3 convolutions, the first of
    // stages 2 to 4 from half the channels, beside 1 × 1 shortcuts. Each product of channels² and places is one constant.
    const unit = 64 * 64 * 9 * 56 * 56;
    const expected = 64 * 112 ** 2 * 147 + 4 * unit + 3 * (3.5 * unit + unit / 18) + 512 * 1000;
    const model = IMAGE_ARCHITECTURES['resnet-18'].build({ channels: 3, side: 224, classes: 1000 });
    const costs = graphCosts(model, { batch: 1 });
    expect(costs.uncounted).toEqual([]);
    expect(costs.macs).toBe(expected);
    expect(costs.macs).toBe(1_814_073_344);
    // torchvision's 11,689,512, and the running statistics of 4,800 channels.
    const running = 2 * 4800;
    expect(costs.parameters).toBeGreaterThanOrEqual(11_689_512 + running);
    expect(costs.parameters).toBeLessThan(11_689_512 + running + 100);
    expect(graphCosts(model, { batch: 3 }).macs).toBe(3 * expected);
  });

  it('BERT: a layer is 12 h² a token and 2 h a pair of tokens; of its last layer a classifier asks for one token', () => {
    const config = presetConfig('bert-tiny', { vocabularySize: 50, labels: ['a', 'b', 'c'] });
    const [layers, h, batch, sequence] = [2, 128, 2, 24];
    const layer = batch * (12 * h * h * sequence + 2 * h * sequence ** 2);
    // The types of tokens are a product of one-hot rows with a table of 2.
    const types = batch * sequence * 2 * h;
    const states = graphCosts(fromConfig(config, { head: 'none' }), { batch, sequence });
    expect(states.uncounted).toEqual([]);
    expect(states.macs).toBe(types + layers * layer);

    // Keys and values of all tokens; the rest of the first one alone. Then the pooler and three labels.
    const last = batch * (2 * h * h * sequence + 10 * h * h + 2 * h * sequence);
    const classifier = graphCosts(fromConfig(config), { batch, sequence });
    expect(classifier.macs).toBe(types + layer + last + batch * (h * h + 3 * h));
  });
});
