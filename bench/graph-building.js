import { attachLoss, bert, crossEntropy, presetConfig } from 'lathe-ml/nn';
import { adamW, trainableParameters, trainingGraph } from 'lathe-ml/train';

/** From nothing to the whole training step of bert-base as a graph, weights initialized. */
export async function graphBuilding() {
  const config = presetConfig('bert-base', { vocabularySize: 30_522, labels: ['a', 'b'] });
  const started = performance.now();
  const model = attachLoss(bert(config, { form: 'training' }), crossEntropy(), {
    predictions: 'logits',
    labels: 'labels',
  });
  const initialized = performance.now();
  const graph = trainingGraph(model, { optimizer: adamW(), trainable: trainableParameters(model), clipNorm: 1 });
  const built = performance.now();
  return [
    { what: 'bert-base: model with 110 M random weights', value: (initialized - started) / 1000, unit: 's' },
    {
      what: `bert-base: training graph (${graph.model.graph.nodes.length} nodes)`,
      value: (built - initialized) / 1000,
      unit: 's',
      bar: '≤ 2',
    },
  ];
}
