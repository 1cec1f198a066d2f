// A process of its own, as training has: its peak memory is that of the step.
import { random } from 'lathe-ml/base';
import { attachLoss, crossEntropy, IMAGE_ARCHITECTURES, trainingForm } from 'lathe-ml/nn';
import { adamW, openStepper, trainableParameters } from 'lathe-ml/train';
import { median } from './median.js';

const BATCH = 32;
const CLASSES = 10;
const ROUNDS = 10;
const [name, side] = [process.argv[2], Number(process.argv[3])];

const network = IMAGE_ARCHITECTURES[name].build({ channels: 3, side, classes: CLASSES });
const model = attachLoss(trainingForm(network), crossEntropy(), { predictions: 'logits', labels: 'labels' });
const stepper = await openStepper(model, {
  optimizer: adamW(),
  trainable: trainableParameters(model),
  accumulation: 1,
  session: { memoryPattern: false },
});
const { normal } = random(0);
const images = Float32Array.from({ length: BATCH * 3 * side * side }, normal);
const batch = {
  pixel_values: { dtype: 'float32', dims: [BATCH, 3, side, side], data: images },
  labels: {
    dtype: 'int64',
    dims: [BATCH],
    data: BigInt64Array.from({ length: BATCH }, (_, at) => BigInt(at % CLASSES)),
  },
};
const times = [];
for (let step = 1; step <= ROUNDS + 2; step++) {
  const started = performance.now();
  await stepper.step([batch], step, 1e-3);
  if (step > 2) times.push(performance.now() - started);
}
await stepper.close();
const peakMegabytes = process.resourceUsage().maxRSS / 1024;
process.stdout.write(`${JSON.stringify({ milliseconds: median(times), peakMegabytes })}\n`);
