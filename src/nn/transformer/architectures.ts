import type { Activation } from '../layers/activation.ts';
import type { EncoderSettings, ModelType } from './config.ts';

/** What stands behind the encoder; each is a class of Hugging Face transformers. */
export type Head = 'sequence-classification' | 'token-classification' | 'question-answering' | 'masked-lm';

/** Where an architecture keeps its parameters, in the names of Hugging Face checkpoints, and the few things it does differently. */
export interface Architecture {
  /** Beginning of its class names in transformers. */
  readonly className: string;
  /** First part of the names of all that is not the head; checkpoints of the bare encoder leave it out. */
  readonly base: string;
  readonly embeddings: {
    readonly words: string;
    readonly positions: string;
    /** Undefined: there are none. */
    readonly tokenTypes?: string;
    readonly norm: string;
    readonly dropout: string;
    /** From the width of the embeddings to that of the layers. */
    readonly projection?: { readonly name: string; readonly when: 'always' | 'widths differ' };
  };
  /** Prefix of a layer; the names in `layer` stand behind it. Where layers share parameters, several have the same. */
  readonly layers: (group: number, inner: number) => string;
  readonly layer: {
    readonly query: string;
    readonly key: string;
    readonly value: string;
    readonly attentionDropout: string;
    readonly attentionOutput: string;
    /** Undefined: no dropout behind attention's projection. */
    readonly attentionOutputDropout?: string;
    readonly attentionNorm: string;
    readonly expand: string;
    readonly contract: string;
    /** Undefined: no dropout behind the feed-forward layers. */
    readonly outputDropout?: string;
    readonly outputNorm: string;
  };
  /** `counted`: 0, 1, 2, …; `afterPadding`: padding + 1, padding + 2, … for tokens, padding itself for padding. */
  readonly positions: 'counted' | 'afterPadding';
  /** A table of what attention adds to its scores for the distance of two tokens, the same in all layers. */
  readonly relativePositions?: string;
  /** From the states (for `sequence-classification` those of the first token) to the outputs. */
  readonly heads: Readonly<Record<Head, readonly HeadStep[]>>;
}

export type HeadStep =
  | {
      readonly kind: 'dense';
      readonly name: string;
      readonly activation: Activation | 'configured';
      /** Default: of the layers. */
      readonly width?: 'embedding';
    }
  | { readonly kind: 'norm'; readonly name: string }
  | {
      readonly kind: 'dropout';
      readonly name: string;
      readonly probability: keyof EncoderSettings & `${string}Dropout`;
    }
  | { readonly kind: 'logits'; readonly name: string }
  /** Logits over the vocabulary. With tied embeddings the weight is that of the words, and the bias may have another name. */
  | { readonly kind: 'vocabulary'; readonly name: string; readonly tiedBias: string };

const BERT_LAYER: Architecture['layer'] = {
  query: 'attention.self.query',
  key: 'attention.self.key',
  value: 'attention.self.value',
  attentionDropout: 'attention.self.dropout',
  attentionOutput: 'attention.output.dense',
  attentionOutputDropout: 'attention.output.dropout',
  attentionNorm: 'attention.output.LayerNorm',
  expand: 'intermediate.dense',
  contract: 'output.dense',
  outputDropout: 'output.dropout',
  outputNorm: 'output.LayerNorm',
};

const embeddingsOf = (base: string) => ({
  words: `${base}.embeddings.word_embeddings`,
  positions: `${base}.embeddings.position_embeddings`,
  tokenTypes: `${base}.embeddings.token_type_embeddings`,
  norm: `${base}.embeddings.LayerNorm`,
  dropout: `${base}.embeddings.dropout`,
});

const logits = (name: string): HeadStep => ({ kind: 'logits', name });
const dropout = (name: string, probability: (HeadStep & { kind: 'dropout' })['probability']): HeadStep => ({
  kind: 'dropout',
  name,
  probability,
});
const dense = (name: string, activation: Activation | 'configured', width?: 'embedding'): HeadStep => ({
  kind: 'dense',
  name,
  activation,
  ...(width && { width }),
});
const norm = (name: string): HeadStep => ({ kind: 'norm', name });
const vocabulary = (name: string, tiedBias = `${name}.bias`): HeadStep => ({ kind: 'vocabulary', name, tiedBias });

/** A classifier with a layer of its own before the logits. */
const classifierOver = (activation: Activation): readonly HeadStep[] => [
  dropout('classifier.dropout.input', 'classifierDropout'),
  dense('classifier.dense', activation),
  dropout('classifier.dropout', 'classifierDropout'),
  logits('classifier.out_proj'),
];

const TOKEN_HEADS = {
  'token-classification': [dropout('dropout', 'classifierDropout'), logits('classifier')],
  'question-answering': [logits('qa_outputs')],
} satisfies Partial<Architecture['heads']>;

const ROBERTA_HEADS: Architecture['heads'] = {
  ...TOKEN_HEADS,
  'sequence-classification': classifierOver('tanh'),
  'masked-lm': [
    dense('lm_head.dense', 'gelu'),
    norm('lm_head.layer_norm'),
    vocabulary('lm_head.decoder', 'lm_head.bias'),
  ],
};

const roberta = (className: string): Architecture => ({
  className,
  base: 'roberta',
  embeddings: embeddingsOf('roberta'),
  layers: (group) => `roberta.encoder.layer.${group}`,
  layer: BERT_LAYER,
  positions: 'afterPadding',
  heads: ROBERTA_HEADS,
});

export const ARCHITECTURES: Readonly<Record<ModelType, Architecture>> = {
  bert: {
    className: 'Bert',
    base: 'bert',
    embeddings: embeddingsOf('bert'),
    layers: (group) => `bert.encoder.layer.${group}`,
    layer: BERT_LAYER,
    positions: 'counted',
    heads: {
      ...TOKEN_HEADS,
      'sequence-classification': [
        dense('bert.pooler.dense', 'tanh'),
        dropout('dropout', 'classifierDropout'),
        logits('classifier'),
      ],
      'masked-lm': [
        dense('cls.predictions.transform.dense', 'configured'),
        norm('cls.predictions.transform.LayerNorm'),
        vocabulary('cls.predictions.decoder', 'cls.predictions.bias'),
      ],
    },
  },
  roberta: roberta('Roberta'),
  'xlm-roberta': roberta('XLMRoberta'),
  camembert: roberta('Camembert'),
  distilbert: {
    className: 'DistilBert',
    base: 'distilbert',
    embeddings: {
      words: 'distilbert.embeddings.word_embeddings',
      positions: 'distilbert.embeddings.position_embeddings',
      norm: 'distilbert.embeddings.LayerNorm',
      dropout: 'distilbert.embeddings.dropout',
    },
    layers: (group) => `distilbert.transformer.layer.${group}`,
    layer: {
      query: 'attention.q_lin',
      key: 'attention.k_lin',
      value: 'attention.v_lin',
      attentionDropout: 'attention.dropout',
      attentionOutput: 'attention.out_lin',
      attentionNorm: 'sa_layer_norm',
      expand: 'ffn.lin1',
      contract: 'ffn.lin2',
      outputDropout: 'ffn.dropout',
      outputNorm: 'output_layer_norm',
    },
    positions: 'counted',
    heads: {
      'sequence-classification': [
        dense('pre_classifier', 'relu'),
        dropout('dropout', 'classifierDropout'),
        logits('classifier'),
      ],
      'token-classification': [dropout('dropout', 'hiddenDropout'), logits('classifier')],
      'question-answering': [dropout('dropout', 'answerDropout'), logits('qa_outputs')],
      'masked-lm': [dense('vocab_transform', 'configured'), norm('vocab_layer_norm'), vocabulary('vocab_projector')],
    },
  },
  electra: {
    className: 'Electra',
    base: 'electra',
    embeddings: {
      ...embeddingsOf('electra'),
      projection: { name: 'electra.embeddings_project', when: 'widths differ' },
    },
    layers: (group) => `electra.encoder.layer.${group}`,
    layer: BERT_LAYER,
    positions: 'counted',
    heads: {
      ...TOKEN_HEADS,
      'sequence-classification': classifierOver('gelu'),
      'masked-lm': [
        dense('generator_predictions.dense', 'gelu', 'embedding'),
        norm('generator_predictions.LayerNorm'),
        vocabulary('generator_lm_head'),
      ],
    },
  },
  albert: {
    className: 'Albert',
    base: 'albert',
    embeddings: {
      ...embeddingsOf('albert'),
      projection: { name: 'albert.encoder.embedding_hidden_mapping_in', when: 'always' },
    },
    layers: (group, inner) => `albert.encoder.albert_layer_groups.${group}.albert_layers.${inner}`,
    layer: {
      query: 'attention.query',
      key: 'attention.key',
      value: 'attention.value',
      attentionDropout: 'attention.attention_dropout',
      attentionOutput: 'attention.dense',
      attentionOutputDropout: 'attention.output_dropout',
      attentionNorm: 'attention.LayerNorm',
      expand: 'ffn',
      contract: 'ffn_output',
      outputNorm: 'full_layer_layer_norm',
    },
    positions: 'counted',
    heads: {
      ...TOKEN_HEADS,
      'sequence-classification': [
        dense('albert.pooler', 'tanh'),
        dropout('dropout', 'classifierDropout'),
        logits('classifier'),
      ],
      'masked-lm': [
        dense('predictions.dense', 'configured', 'embedding'),
        norm('predictions.LayerNorm'),
        vocabulary('predictions.decoder', 'predictions.bias'),
      ],
    },
  },
  mpnet: {
    className: 'MPNet',
    base: 'mpnet',
    embeddings: {
      words: 'mpnet.embeddings.word_embeddings',
      positions: 'mpnet.embeddings.position_embeddings',
      norm: 'mpnet.embeddings.LayerNorm',
      dropout: 'mpnet.embeddings.dropout',
    },
    layers: (group) => `mpnet.encoder.layer.${group}`,
    layer: {
      query: 'attention.attn.q',
      key: 'attention.attn.k',
      value: 'attention.attn.v',
      attentionDropout: 'attention.attn.dropout',
      attentionOutput: 'attention.attn.o',
      attentionOutputDropout: 'attention.dropout',
      attentionNorm: 'attention.LayerNorm',
      expand: 'intermediate.dense',
      contract: 'output.dense',
      outputDropout: 'output.dropout',
      outputNorm: 'output.LayerNorm',
    },
    positions: 'afterPadding',
    relativePositions: 'mpnet.encoder.relative_attention_bias',
    heads: ROBERTA_HEADS,
  },
};
