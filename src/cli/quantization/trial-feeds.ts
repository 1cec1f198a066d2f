import { DATA_TYPES, type DataType, LatheError, random, sizeOf, type Tensor, tensor } from '../../base/index.ts';
import { gatherBatch, lengthsOf } from '../../data/index.ts';
import type { Manifest } from '../../pipeline/index.ts';
import type { PackageLearning } from '../package-learning.ts';

export type Feeds = Readonly<Record<string, Tensor>>;

/** Side of images where a model takes any. */
const SIDE = 224;
/** Ids that every vocabulary has. */
const WORDS = 50;

/**
 * Inputs to try a model on where there are no data: token ids and pixels at random, of the longest sequence that the package
 * reads. They are right for time, not for scores. Throws 'unsupported' for inputs that are neither numbers nor tokens.
 */
export function sampleFeeds({ signature, pipeline }: Manifest, batch: number): Feeds {
  const length = pipeline.features.kind === 'image' ? SIDE : (pipeline.features.maxLength ?? 64);
  const draw = random(0);
  return Object.fromEntries(
    signature.inputs.map(({ name, dtype, shape }) => {
      const dims = shape.map((dim, axis) => (typeof dim === 'number' ? dim : axis === 0 ? batch : length));
      const { kind } = DATA_TYPES[dtype as DataType];
      const size = sizeOf(dims);
      if (kind === 'float') return [name, tensor('float32', dims, Float32Array.from({ length: size }, draw.uniform))];
      if (dtype !== 'int64') throw new LatheError('unsupported', `input "${name}": no sample of ${dtype} is made`);
      const element = name.includes('mask')
        ? () => 1n
        : name.includes('type')
          ? () => 0n
          : () => BigInt(1 + draw.integer(WORDS));
      return [name, tensor('int64', dims, BigInt64Array.from({ length: size }, element))];
    }),
  );
}

/** Examples as batches of a model's inputs, those of like length together. */
export async function batchesOf(
  { task, features, taskSettings }: PackageLearning,
  examples: PackageLearning['splits']['train'],
  batchSize: number,
): Promise<readonly Feeds[]> {
  const { dataset } = await task.task.encode(features, examples, { settings: taskSettings });
  const lengths = lengthsOf(dataset);
  const order = Array.from({ length: dataset.size }, (_, index) => index);
  if (lengths !== undefined) order.sort((one, other) => lengths[one]! - lengths[other]! || one - other);
  const batches: Feeds[] = [];
  for (let start = 0; start < order.length; start += batchSize)
    batches.push(gatherBatch(dataset, order.slice(start, start + batchSize)));
  return batches;
}
