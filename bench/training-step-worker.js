// A process of its own, as training has: its peak memory is that of the step.
import { GraphBuilder } from 'lathe-ml/graph';
import { attachLoss, bert, crossEntropy } from 'lathe-ml/nn';
import { openSession } from 'lathe-ml/runtime';
import { adamW, openStepper, trainableParameters } from 'lathe-ml/train';
import { median } from './median.js';

const LAYERS = 6;
const HIDDEN = 384;
const BATCH = 16;
const TOKENS = 128;
const VOCABULARY = 8000;
const ROUNDS = 12;

const config = {
  model_type: 'bert',
  vocab_size: VOCABULARY,
  hidden_size: HIDDEN,
  num_hidden_layers: LAYERS,
  num_attention_heads: HIDDEN / 64,
  intermediate_size: 4 * HIDDEN,
  hidden_dropout_prob: 0,
  attention_probs_dropout_prob: 0,
  num_labels: 2,
};

/** Multiplications and additions of the matrix products, forward and twice that backward. */
function gigaflops() {
  const rows = BATCH * TOKENS;
  const square = 2 * HIDDEN * HIDDEN;
  const full = rows * (4 + 8) * square + 2 * 2 * rows * TOKENS * HIDDEN;
  // The last layer: keys and values of all tokens, everything else of the first alone.
  const last = rows * 2 * square + BATCH * (2 + 8) * square + 2 * 2 * rows * HIDDEN;
  return (3 * ((LAYERS - 1) * full + last)) / 1e9;
}

function integers(length, next) {
  return BigInt64Array.from({ length }, (_, index) => BigInt(next(index)));
}

async function openMatMuls() {
  const b = new GraphBuilder();
  const feeds = {};
  const data = Float32Array.from({ length: 1024 * 1024 }, (_, index) => ((index * 7919) % 1000) / 1000);
  for (let pair = 0; pair < 8; pair++) {
    for (const side of ['a', 'b']) {
      b.input(`${side}${pair}`, 'float32', [1024, 1024]);
      feeds[`${side}${pair}`] = { dtype: 'float32', dims: [1024, 1024], data: data.slice() };
    }
    // Fetching the products would measure their copies.
    b.output(
      b.reduceMax(b.matMul(`a${pair}`, `b${pair}`), [0, 1], false),
      { dtype: 'float32', shape: [] },
      `max${pair}`,
    );
  }
  const session = await openSession(b.build());
  return { run: () => session.run(feeds), close: () => session.close() };
}

async function measureMatMuls() {
  const matMuls = await openMatMuls();
  const times = [];
  for (let round = 0; round < ROUNDS; round++) {
    const started = performance.now();
    await matMuls.run();
    times.push(performance.now() - started);
  }
  await matMuls.close();
  return (8 * 2 * 1024 ** 3) / 1e9 / (median(times.slice(2)) / 1000);
}

const model = attachLoss(bert(config, { form: 'training' }), crossEntropy(), {
  predictions: 'logits',
  labels: 'labels',
});
const stepper = await openStepper(model, {
  optimizer: adamW(),
  trainable: trainableParameters(model),
  clipNorm: 1,
  accumulation: 1,
  session: { memoryPattern: false },
});
const sequence = (next) => ({ dtype: 'int64', dims: [BATCH, TOKENS], data: integers(BATCH * TOKENS, next) });
const batch = {
  input_ids: sequence((index) => (index * 7919) % VOCABULARY),
  attention_mask: sequence(() => 1),
  token_type_ids: sequence(() => 0),
  labels: { dtype: 'int64', dims: [BATCH], data: integers(BATCH, (index) => index % 2) },
};
const times = [];
for (let step = 1; step <= ROUNDS + 2; step++) {
  const started = performance.now();
  await stepper.step([batch], step, 1e-4);
  if (step > 2) times.push(performance.now() - started);
}
await stepper.close();
const peakMegabytes = process.resourceUsage().maxRSS / 1024;
const matMulGigaflopsPerSecond = await measureMatMuls();
process.stdout.write(
  `${JSON.stringify({ milliseconds: median(times), gigaflops: gigaflops(), peakMegabytes, matMulGigaflopsPerSecond })}\n`,
);
