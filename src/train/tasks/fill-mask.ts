import { LatheError } from '../../base/index.ts';
import { continuationIds, gatherBatch, type MaskTokens, maskTokens } from '../../data/index.ts';
import { perplexity } from '../../metrics/index.ts';
import { crossEntropy, fromConfig } from '../../nn/index.ts';
import {
  type EncodedExamples,
  encodeInWindows,
  type FeatureExtractor,
  TASKS,
  type Task,
  type TextExample,
  tokensOf,
} from '../../pipeline/index.ts';
import type { TrainableTask } from './trainable-task.ts';

/** The negative log-likelihoods of the tokens of a row that were hidden, and how many of them the model found. */
interface HiddenTokens {
  readonly losses: readonly number[];
  readonly found: number;
}

interface MaskedExamples extends EncodedExamples {
  /** Of each row, the places of hidden tokens, and the tokens. */
  readonly hidden: readonly { readonly places: readonly number[]; readonly ids: readonly number[] }[];
}

/** Masks of an evaluation: the same for everyone. */
const EVALUATION_SEED = 0;
const SHARE = 0.15;

export const fillMask: TrainableTask<HiddenTokens> = {
  task: TASKS['fill-mask'],
  reader: {
    ...(TASKS['fill-mask'] as unknown as Task<HiddenTokens>),
    encode(features, examples): MaskedExamples {
      const encoded = encodeInWindows(features, examples as readonly TextExample[]);
      const rules = maskingOf(features, false);
      const { dataset } = encoded;
      const column = dataset.columns.input_ids!;
      if (column.kind !== 'ragged') throw new LatheError('internal', 'input_ids should be a ragged column');
      const ids = Int32Array.from(column.values as Int32Array);
      const hidden = Array.from({ length: dataset.size }, (_, row) => {
        const batch = gatherBatch(dataset, [row]);
        const masked = maskTokens(batch, rules, { indices: [row], epoch: -1, seed: EVALUATION_SEED });
        const length = column.offsets[row + 1]! - column.offsets[row]!;
        ids.set(Array.from(masked.input_ids!.data as BigInt64Array, Number).slice(0, length), column.offsets[row]!);
        const labels = Array.from(masked.labels!.data as BigInt64Array, Number);
        const places = Array.from(masked.masked_positions!.data as BigInt64Array, Number);
        return labels[0] === -100 ? { places: [], ids: [] } : { places, ids: labels };
      });
      return {
        ...encoded,
        dataset: { ...dataset, columns: { ...dataset.columns, input_ids: { ...column, values: ids } } },
        hidden,
      };
    },
    read([logits], index, { encoded }) {
      const { places, ids } = (encoded as MaskedExamples).hidden[index]!;
      const words = logits!.dims.at(-1)!;
      let found = 0;
      const losses = places.map((place, at) => {
        const row = logits!.data.subarray(place * words, (place + 1) * words);
        let highest = 0;
        for (let id = 1; id < words; id++) if (row[id]! > row[highest]!) highest = id;
        if (highest === ids[at]) found++;
        let sum = 0;
        for (let id = 0; id < words; id++) sum += Math.exp(row[id]! - row[highest]!);
        return Math.log(sum) - (row[ids[at]!]! - row[highest]!);
      });
      return { losses, found };
    },
  },
  head: 'masked-lm',
  config: { className: 'ForMaskedLM' },
  defaults: { epochs: 10 },
  transformer: (config, options) => {
    const form = (more: object) => fromConfig(config, { ...options, head: 'masked-lm', ...more });
    return {
      model: form({}),
      trainingForm: form({ form: 'training', maskedPositions: true }),
      validationForm: form({ maskedPositions: true }),
    };
  },
  encode: encodeInWindows,
  batchSteps: (features, { wholeWords }) => [maskingOf(features, wholeWords)],
  targets: () => ({}),
  loss: () => crossEntropy(),
  objective: () => ({ kind: 'loss', perplexity: true }),
  report({ examples, readings }) {
    const losses = readings.rows.flatMap((row) => row.losses);
    const measured = perplexity(losses);
    const found = readings.rows.reduce((sum, row) => sum + row.found, 0);
    return {
      task: 'fill-mask',
      examples: examples.length,
      headline: 'perplexity',
      metrics: { perplexity: measured.value, maskAccuracy: found / losses.length, masks: losses.length },
      signatures: {
        perplexity: `${measured.signature}|share:${SHARE}|seed:${EVALUATION_SEED}`,
        maskAccuracy: `accuracy|share:${SHARE}|seed:${EVALUATION_SEED}`,
      },
      warnings: [],
    };
  },
};

function maskingOf(features: FeatureExtractor, wholeWords: boolean): MaskTokens {
  const { tokenizer } = tokensOf(features, 'fill-mask');
  const { maskId, specialIds, vocabularySize } = tokenizer;
  if (maskId === undefined) {
    throw new LatheError('unsupported', 'the tokenizer has no token to hide others behind', {
      hint: 'Name one as mask_token in tokenizer_config.json.',
    });
  }
  return {
    kind: 'mask-tokens',
    maskId,
    vocabularySize,
    specialIds: [...specialIds],
    share: SHARE,
    ...(wholeWords && { continuationIds: continuationIds(tokenizer) }),
  };
}
