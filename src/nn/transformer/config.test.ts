import { describe, expect, it } from 'vitest';
import { LatheError } from '../../base/index.ts';
import { encoderSettings, type HuggingFaceConfig, type ModelType, withDropout } from './config.ts';
import { fromConfig } from './encoder.ts';
import { PRESETS, presetConfig } from './presets.ts';

describe('defaults are those of the configuration classes of Hugging Face', () => {
  // BertConfig(), RobertaConfig(), … of transformers.
  const bert = {
    vocabularySize: 30522,
    hidden: 768,
    embedding: 768,
    layers: 12,
    groups: 12,
    layersPerGroup: 1,
    heads: 12,
    intermediate: 3072,
    activation: 'gelu',
    hiddenDropout: 0.1,
    attentionDropout: 0.1,
    classifierDropout: 0.1,
    answerDropout: 0,
    positions: 512,
    tokenTypes: 2,
    epsilon: 1e-12,
    paddingId: 0,
    initializerRange: 0.02,
    tiedEmbeddings: true,
    labels: 2,
  };
  it.each([
    ['bert', bert],
    ['roberta', { ...bert, vocabularySize: 50265, paddingId: 1 }],
    ['distilbert', { ...bert, layers: 6, groups: 6, tokenTypes: 0, classifierDropout: 0.2, answerDropout: 0.1 }],
    ['xlm-roberta', { ...bert, paddingId: 1 }],
    ['camembert', { ...bert, paddingId: 1 }],
    ['electra', { ...bert, hidden: 256, embedding: 128, heads: 4, intermediate: 1024 }],
    [
      'albert',
      {
        ...bert,
        vocabularySize: 30000,
        hidden: 4096,
        embedding: 128,
        groups: 1,
        heads: 64,
        intermediate: 16384,
        activation: 'gelu_new',
        hiddenDropout: 0,
        attentionDropout: 0,
      },
    ],
    ['mpnet', { ...bert, vocabularySize: 30527, tokenTypes: 0, paddingId: 1 }],
  ] as const)('%s', (type, expected) => {
    expect(encoderSettings({}, type)).toEqual(expected);
  });
});

it('reads the fields under the names of each architecture', () => {
  expect(
    encoderSettings(
      { dim: 8, n_heads: 2, seq_classif_dropout: 0.3, id2label: { 0: 'a', 1: 'b', 2: 'c' } },
      'distilbert',
    ),
  ).toMatchObject({
    hidden: 8,
    heads: 2,
    classifierDropout: 0.3,
    labels: 3,
  });
  expect(encoderSettings({ hidden_dropout_prob: 0.2, classifier_dropout: null, num_labels: 5 }, 'bert')).toMatchObject({
    classifierDropout: 0.2,
    labels: 5,
  });
});

describe('refusals name the field and its value', () => {
  const message = (config: HuggingFaceConfig, type: ModelType): string => {
    try {
      encoderSettings(config, type);
    } catch (error) {
      if (error instanceof LatheError) return `${error.code}: ${error.message}`;
      throw error;
    }
    return 'nothing was thrown';
  };
  it.each([
    [
      'bert',
      { hidden_act: 'mish' },
      'unsupported: config.json of bert: hidden_act is "mish", supported are gelu, gelu_new, gelu_pytorch_tanh, relu, silu, swish, tanh',
    ],
    [
      'bert',
      { position_embedding_type: 'relative_key' },
      'unsupported: config.json of bert: position_embedding_type is "relative_key", supported is "absolute"',
    ],
    ['roberta', { is_decoder: true }, 'unsupported: config.json of roberta: is_decoder is true, supported is false'],
    [
      'distilbert',
      { sinusoidal_pos_embds: true },
      'unsupported: config.json of distilbert: sinusoidal_pos_embds is true, supported is false',
    ],
    [
      'mpnet',
      { relative_attention_num_buckets: 64 },
      'unsupported: config.json of mpnet: relative_attention_num_buckets is 64, supported is 32',
    ],
    [
      'albert',
      { num_hidden_groups: 3, num_hidden_layers: 2 },
      'invalid-model: config.json of albert: 3 groups (num_hidden_groups) for 2 layers (num_hidden_layers)',
    ],
    [
      'distilbert',
      { dim: 10, n_heads: 3 },
      'invalid-model: config.json of distilbert: dim 10 does not divide into 3 heads (n_heads)',
    ],
    [
      'bert',
      { num_hidden_layers: 0 },
      'invalid-model: config.json of bert: num_hidden_layers: expected a positive integer, got 0',
    ],
    [
      'bert',
      { hidden_size: '768' },
      'invalid-model: config.json of bert: hidden_size: expected a positive integer, got "768"',
    ],
    [
      'bert',
      { hidden_dropout_prob: 1 },
      'invalid-model: config.json of bert: hidden_dropout_prob: expected a probability in [0, 1), got 1',
    ],
    [
      'bert',
      { pad_token_id: 90, vocab_size: 40 },
      'invalid-model: config.json of bert: pad_token_id is 90, outside the vocabulary of 40 (vocab_size)',
    ],
    [
      'bert',
      { id2label: { 1: 'a', 2: 'b' } },
      'invalid-model: config.json of bert: id2label should name the labels 0 to n − 1, got {"1":"a","2":"b"}',
    ],
  ] as const)('%s %j', (type, config, expected) => {
    expect(message(config, type)).toBe(expected);
  });

  it('names a model type that has no architecture', () => {
    expect(() => fromConfig({ model_type: 'gpt2' })).toThrow(
      'config.json: model_type is "gpt2", supported are bert, roberta, xlm-roberta, camembert, distilbert, electra, albert, mpnet',
    );
  });
});

describe('presets', () => {
  it.each([
    ['bert-tiny', 2, 128, 2],
    ['bert-mini', 4, 256, 4],
    ['bert-small', 4, 512, 8],
    ['bert-medium', 8, 512, 8],
    ['bert-base', 12, 768, 12],
  ])('%s', (preset, layers, hidden, heads) => {
    const config = presetConfig(preset, { vocabularySize: 100, labels: ['ham', 'spam'] });
    expect(config).toMatchObject({
      model_type: 'bert',
      id2label: { 0: 'ham', 1: 'spam' },
      label2id: { ham: 0, spam: 1 },
    });
    expect(encoderSettings(config, 'bert')).toMatchObject({
      layers,
      hidden,
      heads,
      intermediate: 4 * hidden,
      vocabularySize: 100,
      labels: 2,
    });
  });

  it('lists them when asked for another, and wants two labels', () => {
    expect(() => presetConfig('bert-large', { vocabularySize: 9, labels: ['a', 'b'] })).toThrow(
      `there are ${PRESETS.join(', ')}`,
    );
    expect(() => presetConfig('bert-tiny', { vocabularySize: 9, labels: ['a'] })).toThrow('two labels or more, got 1');
  });
});

it.each(['bert', 'distilbert', 'albert'] as const)(
  'another dropout is one that the configuration of %s reads',
  (type) => {
    const settings = encoderSettings(withDropout({ model_type: type, vocab_size: 9 }, type, 0.3), type);
    expect([settings.hiddenDropout, settings.attentionDropout]).toEqual([0.3, 0.3]);
  },
);
