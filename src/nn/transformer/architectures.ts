import type { ModelType } from './config.ts';

/** Where an architecture keeps its parameters, in the names of Hugging Face checkpoints, and the few things it does differently. */
export interface Architecture {
  readonly embeddings: {
    readonly words: string;
    readonly positions: string;
    readonly tokenTypes: string;
    readonly norm: string;
    readonly dropout: string;
  };
  /** Prefix of layer `index`; the names in `layer` stand behind it. */
  readonly layers: string;
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
    readonly outputDropout: string;
    readonly outputNorm: string;
  };
  /** `counted`: 0, 1, 2, …; `afterPadding`: padding + 1, padding + 2, … for tokens, padding itself for padding. */
  readonly positions: 'counted' | 'afterPadding';
  /** From the first token to the logits. */
  readonly classifier: readonly ClassifierStep[];
}

export type ClassifierStep =
  | { readonly kind: 'dense'; readonly name: string; readonly activation: 'tanh' | 'relu' }
  | { readonly kind: 'dropout'; readonly name: string }
  | { readonly kind: 'logits'; readonly name: string };

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

export const ARCHITECTURES: Readonly<Record<ModelType, Architecture>> = {
  bert: {
    embeddings: {
      words: 'bert.embeddings.word_embeddings',
      positions: 'bert.embeddings.position_embeddings',
      tokenTypes: 'bert.embeddings.token_type_embeddings',
      norm: 'bert.embeddings.LayerNorm',
      dropout: 'bert.embeddings.dropout',
    },
    layers: 'bert.encoder.layer',
    layer: BERT_LAYER,
    positions: 'counted',
    classifier: [
      { kind: 'dense', name: 'bert.pooler.dense', activation: 'tanh' },
      { kind: 'dropout', name: 'dropout' },
      { kind: 'logits', name: 'classifier' },
    ],
  },
  roberta: {
    embeddings: {
      words: 'roberta.embeddings.word_embeddings',
      positions: 'roberta.embeddings.position_embeddings',
      tokenTypes: 'roberta.embeddings.token_type_embeddings',
      norm: 'roberta.embeddings.LayerNorm',
      dropout: 'roberta.embeddings.dropout',
    },
    layers: 'roberta.encoder.layer',
    layer: BERT_LAYER,
    positions: 'afterPadding',
    classifier: [
      { kind: 'dropout', name: 'classifier.dropout.input' },
      { kind: 'dense', name: 'classifier.dense', activation: 'tanh' },
      { kind: 'dropout', name: 'classifier.dropout' },
      { kind: 'logits', name: 'classifier.out_proj' },
    ],
  },
  distilbert: {
    embeddings: {
      words: 'distilbert.embeddings.word_embeddings',
      positions: 'distilbert.embeddings.position_embeddings',
      tokenTypes: '',
      norm: 'distilbert.embeddings.LayerNorm',
      dropout: 'distilbert.embeddings.dropout',
    },
    layers: 'distilbert.transformer.layer',
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
    classifier: [
      { kind: 'dense', name: 'pre_classifier', activation: 'relu' },
      { kind: 'dropout', name: 'dropout' },
      { kind: 'logits', name: 'classifier' },
    ],
  },
};
