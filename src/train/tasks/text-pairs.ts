import { jsonText } from '../../base/index.ts';
import { compareTextPairs, fromConfig, type Pooling, type TextPairOptions } from '../../nn/index.ts';
import { type EncodedExamples, encodeTexts, type TextExample, tokensOf } from '../../pipeline/index.ts';
import type { TrainableTask } from './trainable-task.ts';

/** What tasks share that learn embeddings from pairs of texts: see `compareTextPairs` for the graph. */
export function textPairForms(compare: TextPairOptions['compare']): TrainableTask['transformer'] {
  return (config, { settings, ...options }) => {
    const pooling = (settings?.pooling ?? 'mean') as Pooling;
    const encoder = (form: 'training' | 'inference') => fromConfig(config, { ...options, head: 'none', form });
    return {
      model: encoder('inference'),
      trainingForm: compareTextPairs(encoder('training'), { pooling, compare }),
      validationForm: compareTextPairs(encoder('inference'), { pooling, compare }),
    };
  };
}

/** The rows of training: a pair each, its second text in columns of its own, which `stack-pairs` puts behind the first. */
export const encodePairs: NonNullable<TrainableTask['encode']> = (features, examples, options): EncodedExamples => {
  const pairs = examples as readonly TextExample[];
  const first = encodeTexts(
    features,
    pairs.map(({ text }) => ({ text })),
    options,
  );
  const second = encodeTexts(
    features,
    pairs.map(({ textPair }) => ({ text: textPair ?? '' })),
    {},
  );
  const ids = second.dataset.columns.input_ids!;
  return {
    dataset: {
      size: first.dataset.size,
      columns: {
        ...first.dataset.columns,
        second_ids: ids,
        second_mask: { kind: 'mask', of: 'second_ids', dtype: 'int64' },
      },
    },
    truncated: first.truncated,
  };
};

export function stackedPairs(labels: 'given' | 'places'): NonNullable<TrainableTask['batchSteps']> {
  return (features) => {
    const { tokenizer } = tokensOf(features, 'an embedding of texts');
    return [{ kind: 'stack-pairs', paddingId: tokenizer.paddingId ?? 0, labels }];
  };
}

/** The files by which sentence-transformers knows what stands behind the encoder. */
export const sentenceTransformersFiles: NonNullable<TrainableTask['files']> = ({ graph }, settings) => {
  const { type: states } = graph.outputs[0]!;
  const { pooling, normalize } = settings as { readonly pooling: Pooling; readonly normalize: boolean };
  const module = (idx: number, path: string, type: string) => ({
    idx,
    name: String(idx),
    path,
    type: `sentence_transformers.models.${type}`,
  });
  return {
    'modules.json': jsonText([
      module(0, '', 'Transformer'),
      module(1, '1_Pooling', 'Pooling'),
      ...(normalize ? [module(2, '2_Normalize', 'Normalize')] : []),
    ]),
    '1_Pooling/config.json': jsonText({
      word_embedding_dimension: states?.kind === 'tensor' ? states.shape?.[2] : undefined,
      pooling_mode_cls_token: pooling === 'cls',
      pooling_mode_mean_tokens: pooling === 'mean',
      pooling_mode_max_tokens: pooling === 'max',
      pooling_mode_mean_sqrt_len_tokens: false,
    }),
  };
};
