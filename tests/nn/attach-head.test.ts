import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { gradient } from '../../src/autodiff/index.ts';
import { numbersOf, type Tensor, tensorFrom } from '../../src/base/index.ts';
import { check, GraphBuilder, type Model, readModel, tensorOf } from '../../src/graph/index.ts';
import { attachHead, attachLoss, crossEntropy } from '../../src/nn/index.ts';
import { openSession } from '../../src/runtime/index.ts';
import { graphForms } from '../../src/train/index.ts';

const exported = await readModel(fileURLToPath(new URL('../fixtures/exported-text/features.onnx', import.meta.url)));
const ids = (...rows: readonly (readonly number[])[]): Tensor => tensorFrom('int64', rows.flat(), [rows.length, 4]);
const FEEDS = {
  input_ids: ids([2, 80, 81, 3], [2, 82, 3, 0]),
  attention_mask: ids([1, 1, 1, 1], [1, 1, 1, 0]),
  token_type_ids: ids([0, 0, 0, 0], [0, 0, 0, 0]),
};

async function run(model: Model, feeds: Readonly<Record<string, Tensor>> = FEEDS): Promise<Record<string, Tensor>> {
  const session = await openSession(model, { threads: 1 });
  const outputs = await session.run(feeds);
  await session.close();
  return outputs;
}

describe('a head on hidden states', () => {
  it('reads the mean of the tokens that count', async () => {
    const model = attachHead(exported, { classes: 3, output: 'last_hidden_state', mask: 'attention_mask', seed: 2 });
    check(model);
    expect(model.graph.outputs).toMatchObject([{ name: 'logits', type: { shape: ['batch', 3] } }]);
    const weight = numbersOf(tensorOf(model.graph.initializers.get('classifier.weight')!));
    const [{ logits }, { last_hidden_state: states }] = await Promise.all([run(model), run(exported)]);
    const values = numbersOf(states!);
    for (const [row, tokens] of [4, 3].entries()) {
      for (let label = 0; label < 3; label++) {
        let expected = 0;
        for (let token = 0; token < tokens; token++) {
          for (let at = 0; at < 32; at++)
            expected += (values[(row * 4 + token) * 32 + at]! * weight[label * 32 + at]!) / tokens;
        }
        expect(numbersOf(logits!)[row * 3 + label]).toBeCloseTo(expected, 5);
      }
    }
  });

  it('reads zeros where none counts, as of an empty text', async () => {
    const build = new GraphBuilder();
    const states = build.input('states', 'float32', ['batch', 'sequence', 2]);
    build.input('mask', 'int64', ['batch', 'sequence']);
    build.output(build.op('Relu', [states]), { dtype: 'float32', shape: ['batch', 'sequence', 2] }, 'hidden');
    const model = attachHead(build.build(), { classes: 2, output: 'hidden', mask: 'mask' });
    const { logits } = await run(model, {
      states: tensorFrom('float32', [1, 2, 3, 4], [1, 2, 2]),
      mask: tensorFrom('int64', [0, 0], [1, 2]),
    });
    expect(numbersOf(logits!)).toEqual([0, 0]);
    // The constant that keeps the mean from a division by 0 is no part of the head that is trained.
    const forms = graphForms(exported, { classes: 2, mask: 'attention_mask' });
    expect(forms.head).toEqual(['classifier.weight', 'classifier.bias']);
    expect(forms.initialized).toEqual(forms.head);
  });

  it('or each of them, and all parameters have gradients', async () => {
    const forms = graphForms(exported, { classes: 3, rows: 'tokens' });
    expect([forms.output, forms.head, forms.features]).toEqual([
      'logits',
      ['classifier.weight', 'classifier.bias'],
      32,
    ]);
    expect(forms.model.graph.outputs).toMatchObject([{ name: 'logits', type: { shape: ['batch', 'sequence', 3] } }]);
    const withLoss = attachLoss(forms.trainingForm, crossEntropy(), { predictions: 'logits', labels: 'labels' });
    const weights = ['classifier.weight', 'classifier.bias', 'model.embeddings.word_embeddings.weight'];
    const labels = ids([-100, 0, 2, -100], [-100, 1, -100, -100]);
    const results = await run(gradient(withLoss, { of: 'loss', withRespectTo: weights }), { ...FEEDS, labels });
    for (const name of weights)
      expect(Math.max(...numbersOf(results[`${name}_grad`]!).map(Math.abs)), name).toBeGreaterThan(0);
  });

  it('is refused on what is no row of features', () => {
    const build = new GraphBuilder();
    const x = build.input('x', 'float32', ['batch', 2, 3, 4]);
    build.output(build.op('Relu', [x]), { dtype: 'float32', shape: ['batch', 2, 3, 4] }, 'y');
    expect(() => attachHead(build.build(), { classes: 2, output: 'y' })).toThrow(
      /output "y" is float32\[batch, 2, 3, 4\], expected features/,
    );
    const tokens = graphForms(exported, { classes: 3, rows: 'tokens' }).model;
    expect(() => graphForms(tokens, { classes: 3 })).toThrow(
      /output "logits" is float32\[batch, sequence, 3\], expected logits \[batch, classes\]/,
    );
  });
});
