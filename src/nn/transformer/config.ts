import { LatheError } from '../../base/index.ts';
import { ACTIVATIONS, type Activation, isActivation } from '../layers/activation.ts';

/** A Hugging Face `config.json`, parsed: a plain object whose fields are checked one by one. */
export type HuggingFaceConfig = Readonly<Record<string, unknown>>;

export type ModelType =
  | 'bert'
  | 'distilbert'
  | 'roberta'
  | 'xlm-roberta'
  | 'camembert'
  | 'electra'
  | 'albert'
  | 'mpnet';

/** What a configuration says about an encoder, under one name for each thing. */
export interface EncoderSettings {
  readonly vocabularySize: number;
  readonly hidden: number;
  /** Width of the embeddings; most architectures have that of the layers. */
  readonly embedding: number;
  readonly layers: number;
  /** Groups of layers that share their parameters; as many as layers where none do. */
  readonly groups: number;
  /** Layers that a group applies one after the other, each time. */
  readonly layersPerGroup: number;
  readonly heads: number;
  readonly intermediate: number;
  readonly activation: Activation;
  readonly hiddenDropout: number;
  readonly attentionDropout: number;
  /** Before the classifier. */
  readonly classifierDropout: number;
  /** Before the logits of answers. */
  readonly answerDropout: number;
  readonly positions: number;
  /** 0 where the architecture has no token types. */
  readonly tokenTypes: number;
  readonly epsilon: number;
  readonly paddingId: number;
  readonly initializerRange: number;
  /** The masked-LM head's decoder is the table of words. */
  readonly tiedEmbeddings: boolean;
  readonly labels: number;
}

/**
 * A field of `config.json` and its default in Hugging Face's configuration class, or another setting whose value is the
 * default; without a field the value is fixed.
 */
type Field<Setting> = { readonly field?: string } & (
  | { readonly fallback: number | string }
  | { readonly like: Setting }
);

type NumberSetting = Exclude<keyof EncoderSettings, 'activation' | 'tiedEmbeddings' | 'labels'>;
type Fields = Readonly<Record<NumberSetting | 'activation', Field<NumberSetting>>>;

const BERT: Fields = {
  vocabularySize: { field: 'vocab_size', fallback: 30522 },
  hidden: { field: 'hidden_size', fallback: 768 },
  embedding: { like: 'hidden' },
  layers: { field: 'num_hidden_layers', fallback: 12 },
  groups: { like: 'layers' },
  layersPerGroup: { fallback: 1 },
  heads: { field: 'num_attention_heads', fallback: 12 },
  intermediate: { field: 'intermediate_size', fallback: 3072 },
  activation: { field: 'hidden_act', fallback: 'gelu' },
  hiddenDropout: { field: 'hidden_dropout_prob', fallback: 0.1 },
  attentionDropout: { field: 'attention_probs_dropout_prob', fallback: 0.1 },
  classifierDropout: { field: 'classifier_dropout', like: 'hiddenDropout' },
  answerDropout: { fallback: 0 },
  positions: { field: 'max_position_embeddings', fallback: 512 },
  tokenTypes: { field: 'type_vocab_size', fallback: 2 },
  epsilon: { field: 'layer_norm_eps', fallback: 1e-12 },
  paddingId: { field: 'pad_token_id', fallback: 0 },
  initializerRange: { field: 'initializer_range', fallback: 0.02 },
};

const ROBERTA: Fields = { ...BERT, paddingId: { field: 'pad_token_id', fallback: 1 } };

const FIELDS: Readonly<Record<ModelType, Fields>> = {
  bert: BERT,
  roberta: { ...ROBERTA, vocabularySize: { field: 'vocab_size', fallback: 50265 } },
  'xlm-roberta': ROBERTA,
  camembert: ROBERTA,
  distilbert: {
    ...BERT,
    hidden: { field: 'dim', fallback: 768 },
    layers: { field: 'n_layers', fallback: 6 },
    heads: { field: 'n_heads', fallback: 12 },
    intermediate: { field: 'hidden_dim', fallback: 3072 },
    activation: { field: 'activation', fallback: 'gelu' },
    hiddenDropout: { field: 'dropout', fallback: 0.1 },
    attentionDropout: { field: 'attention_dropout', fallback: 0.1 },
    classifierDropout: { field: 'seq_classif_dropout', fallback: 0.2 },
    answerDropout: { field: 'qa_dropout', fallback: 0.1 },
    tokenTypes: { fallback: 0 },
    epsilon: { fallback: 1e-12 },
  },
  electra: {
    ...BERT,
    hidden: { field: 'hidden_size', fallback: 256 },
    embedding: { field: 'embedding_size', fallback: 128 },
    heads: { field: 'num_attention_heads', fallback: 4 },
    intermediate: { field: 'intermediate_size', fallback: 1024 },
  },
  albert: {
    ...BERT,
    vocabularySize: { field: 'vocab_size', fallback: 30000 },
    hidden: { field: 'hidden_size', fallback: 4096 },
    embedding: { field: 'embedding_size', fallback: 128 },
    groups: { field: 'num_hidden_groups', fallback: 1 },
    layersPerGroup: { field: 'inner_group_num', fallback: 1 },
    heads: { field: 'num_attention_heads', fallback: 64 },
    intermediate: { field: 'intermediate_size', fallback: 16384 },
    activation: { field: 'hidden_act', fallback: 'gelu_new' },
    hiddenDropout: { field: 'hidden_dropout_prob', fallback: 0 },
    attentionDropout: { field: 'attention_probs_dropout_prob', fallback: 0 },
    classifierDropout: { field: 'classifier_dropout_prob', fallback: 0.1 },
  },
  mpnet: {
    ...BERT,
    vocabularySize: { field: 'vocab_size', fallback: 30527 },
    classifierDropout: { like: 'hiddenDropout' },
    tokenTypes: { fallback: 0 },
    // As in transformers, whatever pad_token_id says.
    paddingId: { fallback: 1 },
  },
};

/** Fields that change what the model computes, with the one value that is supported (the default everywhere). */
const ONLY: Readonly<Record<string, string | boolean | number>> = {
  position_embedding_type: 'absolute',
  is_decoder: false,
  add_cross_attention: false,
  sinusoidal_pos_embds: false,
  relative_attention_num_buckets: 32,
};

type Check = (value: number) => boolean;
const count: Check = (value) => Number.isSafeInteger(value) && value > 0;
const index: Check = (value) => Number.isSafeInteger(value) && value >= 0;
const probability: Check = (value) => value >= 0 && value < 1;
const positive: Check = (value) => value > 0 && Number.isFinite(value);

const CHECKS: Readonly<Record<NumberSetting, readonly [Check, string]>> = {
  vocabularySize: [count, 'a positive integer'],
  hidden: [count, 'a positive integer'],
  embedding: [count, 'a positive integer'],
  groups: [count, 'a positive integer'],
  layersPerGroup: [count, 'a positive integer'],
  layers: [count, 'a positive integer'],
  heads: [count, 'a positive integer'],
  intermediate: [count, 'a positive integer'],
  hiddenDropout: [probability, 'a probability in [0, 1)'],
  attentionDropout: [probability, 'a probability in [0, 1)'],
  classifierDropout: [probability, 'a probability in [0, 1)'],
  answerDropout: [probability, 'a probability in [0, 1)'],
  positions: [count, 'a positive integer'],
  tokenTypes: [index, 'an integer, 0 or more'],
  epsilon: [positive, 'a positive number'],
  paddingId: [index, 'an integer, 0 or more'],
  initializerRange: [positive, 'a positive number'],
};

/**
 * Reads the settings of an encoder from a `config.json`, with the defaults of Hugging Face's configuration classes. Fields
 * that do not change the graph are ignored. Throws 'unsupported' with the field and its value where Lathe has no layer
 * for it, and 'invalid-model' where a value cannot be right.
 */
export function encoderSettings(config: HuggingFaceConfig, type: ModelType): EncoderSettings {
  for (const [field, supported] of Object.entries(ONLY)) {
    const value = config[field];
    if (value !== undefined && value !== null && value !== supported) {
      throw new LatheError(
        'unsupported',
        `config.json of ${type}: ${field} is ${show(value)}, supported is ${show(supported)}`,
      );
    }
  }
  const read = (setting: keyof Fields): unknown => {
    const entry = FIELDS[type][setting];
    const given = entry.field === undefined ? undefined : config[entry.field];
    return given ?? ('like' in entry ? read(entry.like) : entry.fallback);
  };
  const name = (setting: keyof Fields): string => FIELDS[type][setting].field ?? setting;
  const number = (setting: NumberSetting): number =>
    checked(`config.json of ${type}: ${name(setting)}`, read(setting), ...CHECKS[setting]);

  const activation = read('activation');
  if (typeof activation !== 'string' || !isActivation(activation)) {
    throw new LatheError(
      'unsupported',
      `config.json of ${type}: ${name('activation')} is ${show(activation)}, supported are ${Object.keys(ACTIVATIONS).join(', ')}`,
    );
  }
  const hidden = number('hidden');
  const heads = number('heads');
  if (hidden % heads !== 0) {
    throw new LatheError(
      'invalid-model',
      `config.json of ${type}: ${name('hidden')} ${hidden} does not divide into ${heads} heads (${name('heads')})`,
    );
  }
  const vocabularySize = number('vocabularySize');
  const paddingId = number('paddingId');
  if (paddingId >= vocabularySize) {
    throw new LatheError(
      'invalid-model',
      `config.json of ${type}: ${name('paddingId')} is ${paddingId}, outside the vocabulary of ${vocabularySize} (${name('vocabularySize')})`,
    );
  }
  const layers = number('layers');
  const groups = number('groups');
  if (groups > layers) {
    throw new LatheError(
      'invalid-model',
      `config.json of ${type}: ${groups} groups (${name('groups')}) for ${layers} layers (${name('layers')})`,
    );
  }
  return {
    vocabularySize,
    hidden,
    embedding: number('embedding'),
    layers,
    groups,
    layersPerGroup: number('layersPerGroup'),
    heads,
    intermediate: number('intermediate'),
    activation,
    hiddenDropout: number('hiddenDropout'),
    attentionDropout: number('attentionDropout'),
    classifierDropout: number('classifierDropout'),
    answerDropout: number('answerDropout'),
    positions: number('positions'),
    tokenTypes: number('tokenTypes'),
    epsilon: number('epsilon'),
    paddingId,
    initializerRange: number('initializerRange'),
    tiedEmbeddings: config.tie_word_embeddings !== false,
    labels: labelCount(config, type),
  };
}

/** The configuration with another probability of dropout in the layers, under the names that its type has for it. */
export function withDropout(config: HuggingFaceConfig, type: ModelType, probability: number): HuggingFaceConfig {
  const fields = [FIELDS[type].hiddenDropout.field, FIELDS[type].attentionDropout.field];
  return { ...config, ...Object.fromEntries(fields.map((field) => [field, probability])) };
}

/** How many labels: `id2label` counts, then `num_labels`, then two. */
function labelCount(config: HuggingFaceConfig, type: ModelType): number {
  const labels = config.id2label;
  if (typeof labels === 'object' && labels !== null) {
    const ids = Object.keys(labels);
    if (ids.length === 0 || ids.some((_, id) => !Object.hasOwn(labels, String(id)))) {
      throw new LatheError(
        'invalid-model',
        `config.json of ${type}: id2label should name the labels 0 to n − 1, got ${show(labels)}`,
      );
    }
    return ids.length;
  }
  return checked(`config.json of ${type}: num_labels`, config.num_labels ?? 2, count, 'a positive integer');
}

function checked(where: string, value: unknown, check: Check, expected: string): number {
  if (typeof value !== 'number' || !check(value)) {
    throw new LatheError('invalid-model', `${where}: expected ${expected}, got ${show(value)}`);
  }
  return value;
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}
