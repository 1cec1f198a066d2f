import { describe, expect, it } from 'vitest';
import { inferShapes, printModel, problems, removeDeadNodes } from '../../graph/index.ts';
import { type EncoderOptions, fromConfig, longestSequence } from './encoder.ts';

const sizes = { hidden_size: 8, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 16, vocab_size: 10 };
const configs = {
  bert: { ...sizes, model_type: 'bert' },
  roberta: { ...sizes, model_type: 'roberta', type_vocab_size: 1, max_position_embeddings: 514 },
  distilbert: { model_type: 'distilbert', dim: 8, n_layers: 1, n_heads: 2, hidden_dim: 16, vocab_size: 10 },
} as const;

const variants = (Object.keys(configs) as (keyof typeof configs)[]).flatMap((type) =>
  (['gelu', 'gelu_new', 'relu', 'silu', 'tanh'] as const).flatMap((act) =>
    (['inference', 'training'] as const).flatMap((form) =>
      (['sequence-classification', 'none'] as const).map((head) => [type, act, form, head] as const),
    ),
  ),
);

it.each(variants)('%s with %s, %s, head %s: a valid model whose shapes can be inferred', (type, act, form, head) => {
  const config = { ...configs[type], hidden_act: act, activation: act };
  const model = fromConfig(config, { form, head } satisfies EncoderOptions);
  expect(problems(model)).toEqual([]);
  expect(removeDeadNodes(model).changed).toBe(false);
  const bare = { ...model, graph: { ...model.graph, outputs: model.graph.outputs.map(({ name }) => ({ name })) } };
  const [output] = inferShapes(bare).model.graph.outputs;
  expect(output).toMatchObject(
    head === 'none'
      ? { name: 'last_hidden_state', type: { dtype: 'float32', shape: ['batch', 'sequence', 8] } }
      : { name: 'logits', type: { dtype: 'float32', shape: ['batch', 2] } },
  );
});

describe('the graph', () => {
  it('takes the inputs that its type has', () => {
    const inputs = (type: keyof typeof configs): string[] =>
      fromConfig(configs[type]).graph.inputs.map(({ name }) => name);
    expect(inputs('bert')).toEqual(['input_ids', 'attention_mask', 'token_type_ids']);
    expect(inputs('roberta')).toEqual(['input_ids', 'attention_mask']);
    expect(inputs('distilbert')).toEqual(['input_ids', 'attention_mask']);
  });

  it('tells as many tokens apart as it has positions for; those before the first one are for padding', () => {
    expect(longestSequence(configs.bert)).toBe(512);
    expect(longestSequence(configs.roberta)).toBe(512);
    expect(longestSequence({ ...configs.bert, max_position_embeddings: 20 })).toBe(20);
  });

  it('reads as follows', () => {
    expect(printModel(fromConfig({ ...configs.bert, hidden_act: 'relu' }))).toMatchSnapshot();
  });
});
