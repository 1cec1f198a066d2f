import { LatheError } from '../../base/index.ts';
import type { HuggingFaceConfig } from './config.ts';

/** The sizes of BERT (Turc et al., 2019): [layers, hidden]. A head has 64 dimensions, the feed-forward layer is 4 times as wide. */
const SIZES = {
  'bert-tiny': [2, 128],
  'bert-mini': [4, 256],
  'bert-small': [4, 512],
  'bert-medium': [8, 512],
  'bert-base': [12, 768],
} as const satisfies Readonly<Record<string, readonly [number, number]>>;

export type Preset = keyof typeof SIZES;

export const PRESETS = Object.keys(SIZES) as readonly Preset[];

/**
 * The `config.json` of a preset, for a model of these labels. Throws 'usage' for a name that is no preset, and for a
 * classifier of fewer than two labels.
 */
export function presetConfig(
  preset: string,
  options: {
    readonly vocabularySize: number;
    /** None for a model whose outputs are no classes. */
    readonly labels: readonly string[];
    /** The class in transformers. Default `BertForSequenceClassification`. */
    readonly architecture?: string;
    /** Default `single_label_classification`; null leaves it out. */
    readonly problemType?: string | null;
    readonly paddingId?: number;
    readonly maximumPositions?: number;
    readonly dropout?: number;
  },
): HuggingFaceConfig {
  if (!Object.hasOwn(SIZES, preset)) {
    throw new LatheError('usage', `no preset "${preset}"; there are ${PRESETS.join(', ')}`);
  }
  const { vocabularySize, paddingId = 0, maximumPositions = 512, dropout = 0.1 } = options;
  const { labels, architecture = 'BertForSequenceClassification' } = options;
  const { problemType = 'single_label_classification' } = options;
  if (problemType === 'single_label_classification' && labels.length < 2) {
    throw new LatheError('usage', `${preset}: a classifier needs two labels or more, got ${labels.length}`);
  }
  const [layers, hidden] = SIZES[preset as Preset];
  return {
    architectures: [architecture],
    model_type: 'bert',
    ...(problemType !== null && { problem_type: problemType }),
    ...labelFields(labels, problemType),
    vocab_size: vocabularySize,
    hidden_size: hidden,
    num_hidden_layers: layers,
    num_attention_heads: hidden / 64,
    intermediate_size: 4 * hidden,
    hidden_act: 'gelu',
    hidden_dropout_prob: dropout,
    attention_probs_dropout_prob: dropout,
    max_position_embeddings: maximumPositions,
    type_vocab_size: 2,
    initializer_range: 0.02,
    layer_norm_eps: 1e-12,
    pad_token_id: paddingId,
    position_embedding_type: 'absolute',
    use_cache: false,
  };
}

/** The fields of `config.json` that name a model's labels. */
export function labelFields(labels: readonly string[], problemType?: string | null): HuggingFaceConfig {
  // A regression has one output, which transformers wants to have a name.
  const names = labels.length === 0 && problemType === 'regression' ? ['LABEL_0'] : labels;
  if (names.length === 0) return {};
  return {
    id2label: Object.fromEntries(names.map((label, id) => [id, label])),
    label2id: Object.fromEntries(names.map((label, id) => [label, id])),
  };
}
