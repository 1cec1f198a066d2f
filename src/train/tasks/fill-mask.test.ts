import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sizeOf, tensor } from '../../base/index.ts';
import { loadTokenizer, trainWordPiece } from '../../data/index.ts';
import { stored } from '../../graph/index.ts';
import { attachLoss } from '../../nn/index.ts';
import { type FeatureExtractor, pipelineOver, TASKS, tokenFeatures } from '../../pipeline/index.ts';
import { openSession } from '../../runtime/index.ts';
import { runLoop } from '../loop.ts';
import { DEFAULT_SETTINGS } from '../settings.ts';
import { trainableParameters } from '../trainable.ts';
import { fillMask } from './fill-mask.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lathe-fill-mask-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const texts = Array.from(
  { length: 60 },
  (_, row) => `the ${['red', 'blue'][row % 2]} boat number ${row} sails home at noon`,
);
const files = trainWordPiece(texts, { vocabularySize: 120 });
const tokenizer = loadTokenizer(files.tokenizer, files.config);
const features: FeatureExtractor = tokenFeatures({ kind: 'tokens', maxLength: 16, tokenTypes: true }, tokenizer);
const config = {
  model_type: 'bert',
  vocab_size: tokenizer.vocabularySize,
  hidden_size: 16,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  intermediate_size: 32,
  max_position_embeddings: 32,
};
const forms = fillMask.transformer(config, { seed: 1 });
const examples = texts.map((text) => ({ text }));
const settings = {};
const PARTS = {
  task: TASKS['fill-mask'],
  labels: [],
  pipeline: {
    input: 'text' as const,
    steps: [],
    features: features.spec,
    output: { name: 'logits', scores: 'softmax' as const },
    settings: { candidates: 3 },
  },
  features,
};

async function train(name: string, options: { stopAfter?: number; resume?: boolean } = {}): Promise<Buffer> {
  const names = { predictions: 'logits', labels: 'labels' };
  const encoded = await fillMask.encode!(features, examples, { settings });
  let asked = 0;
  await runLoop(
    {
      training: attachLoss(
        forms.trainingForm,
        fillMask.loss({ examples, labels: [], labelSmoothing: 0, classWeights: 'none' }),
        names,
      ),
      inference: attachLoss(
        forms.validationForm!,
        fillMask.loss({ examples, labels: [], labelSmoothing: 0, classWeights: 'none' }),
        names,
      ),
      trainable: trainableParameters(forms.model, []),
      train: encoded.dataset,
      validation: encoded.dataset,
      ...names,
      objective: fillMask.objective([], undefined),
      batchSteps: fillMask.batchSteps!(features, { labels: [], wholeWords: true }),
      settings: { ...DEFAULT_SETTINGS, epochs: 3, batchSize: 8, learningRate: 1e-2, patience: 0, threads: 1 },
      folder: join(folder, name),
      fingerprint: 'test',
      resume: options.resume === true,
    },
    { emit: () => {}, shouldStop: () => ++asked >= (options.stopAfter ?? Number.POSITIVE_INFINITY) },
  );
  return readFile(join(folder, name, 'checkpoints', 'last.safetensors'));
}

describe('a masked language model', () => {
  it('that was stopped goes on to the same bits', async () => {
    const { tensors: expected } = withoutTime(await train('whole'));
    await train('parts', { stopAfter: 7 });
    const { tensors } = withoutTime(await train('parts', { resume: true }));
    expect(tensors.equals(expected)).toBe(true);
  });

  it('computes for the places that are asked for what it computes for all', async () => {
    const ids = BigInt64Array.from(tokenizer.encode(texts[0]!).ids, BigInt);
    const dims = [1, ids.length];
    const feeds = {
      input_ids: { dtype: 'int64', dims, data: ids },
      attention_mask: { dtype: 'int64', dims, data: new BigInt64Array(ids.length).fill(1n) },
      token_type_ids: { dtype: 'int64', dims, data: new BigInt64Array(ids.length) },
    } as const;
    const whole = await openSession(forms.model);
    const { logits } = await whole.run(feeds);
    await whole.close();
    const some = await openSession(forms.validationForm!);
    const asked = await some.run({
      ...feeds,
      masked_positions: { dtype: 'int64', dims: [2], data: BigInt64Array.of(5n, 2n) },
    });
    await some.close();
    const words = tokenizer.vocabularySize;
    expect(asked.logits!.dims).toEqual([2, words]);
    const rows = logits!.data as Float32Array;
    const expected = [...rows.subarray(5 * words, 6 * words), ...rows.subarray(2 * words, 3 * words)];
    for (const [at, value] of expected.entries())
      expect((asked.logits!.data as Float32Array)[at]).toBeCloseTo(value, 5);
  });

  it('of equal logits has as many words as its perplexity, whatever was hidden', async () => {
    const zeros = new Map(
      [...forms.model.graph.initializers].map(([name, value]) => [
        name,
        value.dtype === 'float32' && value.dims.length > 0
          ? stored(tensor('float32', value.dims, new Float32Array(sizeOf(value.dims))))
          : value,
      ]),
    );
    const flat = { ...forms.model, graph: { ...forms.model.graph, initializers: zeros } };
    const pipeline = pipelineOver({ ...PARTS, session: await openSession(flat) });
    const readings = await pipeline.readAs(fillMask.reader!, examples);
    const { metrics } = fillMask.report({ examples, readings, labels: [] });
    expect(metrics.perplexity).toBeCloseTo(tokenizer.vocabularySize, 3);
    // 15 % of the tokens of each text, one at least.
    const tokens = texts.map((text) => tokenizer.encode(text).ids.length - 2);
    expect(metrics.masks).toBe(tokens.reduce((sum, count) => sum + Math.max(1, Math.round(0.15 * count)), 0));
    await pipeline.close();
  });

  it('answers with its likeliest words, and says when nothing is masked', async () => {
    const pipeline = pipelineOver({ ...PARTS, session: await openSession(forms.model) });
    const [answer] = await pipeline.predict(['the [MASK] boat sails [MASK]']);
    expect(answer!.masks.map((row) => row.length)).toEqual([3, 3]);
    for (const row of answer!.masks) expect(row[0]!.score).toBeGreaterThanOrEqual(row[1]!.score);
    const words = `the ${answer!.masks[0]![0]!.token} boat sails ${answer!.masks[1]![0]!.token}`;
    expect(words).toContain(' ##');
    expect(answer!.text).toBe(words.replaceAll(' ##', ''));
    expect(TASKS['fill-mask'].answerSchema.parse(answer)).toEqual(answer);
    await expect(pipeline.predict(['the boat'])).rejects.toThrow(/no \[MASK\] in the text/);
    await pipeline.close();
  });
});

/** The tensors of a checkpoint, without the header, which says how long the run took. */
function withoutTime(bytes: Buffer): { tensors: Buffer } {
  return { tensors: bytes.subarray(8 + Number(bytes.readBigUInt64LE(0))) };
}
