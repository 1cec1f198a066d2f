import type { Value } from '../../graph/index.ts';
import type { Build } from '../build.ts';
import { activation } from '../layers/activation.ts';
import { dropout } from '../layers/dropout.ts';
import { layerNorm } from '../layers/layer-norm.ts';
import { linear } from '../layers/linear.ts';
import { parameter } from '../parameter.ts';
import type { Architecture, Head } from './architectures.ts';
import type { EncoderSettings } from './config.ts';

/** The start and the end of an answer. */
const ANSWER = 2;

/** The steps of a head over states [rows, hidden]: gives [rows, labels], [rows, 2] for answers, [rows, words] for masked-lm. */
export function headOver(
  build: Build,
  states: Value,
  head: Head,
  { heads, embeddings }: Architecture,
  settings: EncoderSettings,
): Value {
  const initialization = { normal: settings.initializerRange };
  const rows = head === 'sequence-classification' ? 'batch' : 'batch*sequence';
  let x = states;
  let width = settings.hidden;
  for (const step of heads[head]) {
    switch (step.kind) {
      case 'dropout':
        x = dropout(build, x, step.name, { probability: settings[step.probability], shape: [rows, width] });
        break;
      case 'dense': {
        const outputs = settings[step.width ?? 'hidden'];
        x = linear(build, x, step.name, { inputs: width, outputs, initialization });
        x = activation(build, x, step.activation === 'configured' ? settings.activation : step.activation);
        width = outputs;
        break;
      }
      case 'norm':
        x = layerNorm(build, x, step.name, { size: width, epsilon: settings.epsilon });
        break;
      case 'logits': {
        const outputs = head === 'question-answering' ? ANSWER : settings.labels;
        x = linear(build, x, step.name, { inputs: width, outputs, initialization });
        break;
      }
      case 'vocabulary': {
        const { vocabularySize: outputs, tiedEmbeddings } = settings;
        if (!tiedEmbeddings) {
          x = linear(build, x, step.name, { inputs: width, outputs, initialization });
          break;
        }
        const words = parameter(build, `${embeddings.words}.weight`, [outputs, width], initialization);
        x = build.graph.gemm(x, words, parameter(build, step.tiedBias, [outputs], 'zeros'), { b: true });
      }
    }
  }
  return x;
}
