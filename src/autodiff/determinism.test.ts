import { createHash } from 'node:crypto';
import { InferenceSession, Tensor as RuntimeTensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { random, sizeOf, tensorFrom } from '../base/index.ts';
import { encodeModel, GraphBuilder, int, ints, type Model, string, type Value } from '../graph/index.ts';
import { gradient } from './index.ts';

const ROWS = 256;
const WIDTH = 48;
const TABLE = 300;
/** Large enough to be split between threads. */
const WIDE = 512;

/** Σ y², so that the gradient that arrives at the indices is not constant. */
function squared(lookup: (build: GraphBuilder) => Value): Model {
  const build = new GraphBuilder();
  const y = lookup(build);
  build.output(build.op('ReduceSum', [build.mul(y, build.op('Sin', [y]))], { keepdims: int(0) }, 'loss'));
  return gradient(build.build(), { of: 'loss', withRespectTo: ['table'] });
}

/** Seven different indices for 256 rows: every place of the result is a sum of many, in an order that must not vary. */
const MODELS: Readonly<Record<string, () => Model>> = {
  'Gather of many rows': () =>
    squared((build) =>
      build.gather(build.input('table', 'float32', [TABLE, WIDTH]), build.input('ids', 'int64', ['n'])),
    ),
  'Gather of few rows': () =>
    squared((build) => build.gather(build.input('table', 'float32', [20, WIDTH]), build.input('ids', 'int64', ['n']))),
  'Gather along another axis': () =>
    squared((build) =>
      build.gather(build.input('table', 'float32', [WIDTH, TABLE]), build.input('ids', 'int64', ['n']), 1),
    ),
  GatherElements: () =>
    squared((build) => {
      const indices = build.expand(
        build.reshape(build.input('ids', 'int64', ['n']), build.int64s([-1, 1])),
        build.int64s([ROWS, WIDTH]),
      );
      return build.op('GatherElements', [build.input('table', 'float32', [TABLE, WIDTH]), indices], { axis: int(0) });
    }),
  GatherND: () =>
    squared((build) => {
      const indices = build.reshape(build.input('ids', 'int64', ['n']), build.int64s([-1, 1]));
      return build.op('GatherND', [build.input('table', 'float32', [TABLE, WIDTH]), indices]);
    }),
  'Pad by edges': () =>
    squared((build) => {
      const amounts = build.int64s([200, 0, 300, 0]);
      const shifted = build.add(
        build.input('table', 'float32', [TABLE, WIDTH]),
        build.op('ReduceSum', [build.cast(build.input('ids', 'int64', ['n']), 1)]),
      );
      return build.op('Pad', [shifted, amounts], { mode: string('edge') });
    }),
  Tile: () =>
    squared((build) => {
      const table = build.input('table', 'float32', [TABLE, WIDTH]);
      const scale = build.op('ReduceSum', [build.cast(build.input('ids', 'int64', ['n']), 1)]);
      return build.mul(build.op('Tile', [table, build.int64s([7, 3])]), scale);
    }),
  'MaxPool of windows that overlap': () =>
    squared((build) => {
      const rows = build.gather(build.input('table', 'float32', [TABLE, WIDTH]), build.input('ids', 'int64', ['n']));
      const images = build.reshape(rows, build.int64s([1, 8, -1, WIDTH]));
      return build.op('MaxPool', [images], { kernel_shape: ints([3, 3]), pads: ints([1, 1, 1, 1]) });
    }),
  'GridSample of places that many share': () =>
    squared((build) => {
      const images = build.reshape(build.input('table', 'float32', [TABLE, WIDTH]), build.int64s([1, 8, 36, 50]));
      const places = build.div(build.cast(build.input('ids', 'int64', ['n']), 1), build.scalar(20, 'float32'));
      return build.op('GridSample', [images, build.reshape(places, build.int64s([1, -1, 1, 2]))]);
    }),
  'RoiAlign of regions that overlap': () =>
    squared((build) => {
      const maps = build.reshape(build.input('table', 'float32', [TABLE, WIDTH]), build.int64s([3, 2, 48, 50]));
      const ids = build.reshape(build.input('ids', 'int64', ['n']), build.int64s([-1, 4]));
      const owner = build.op('Mod', [
        build.squeeze(build.gather(ids, build.int64s([0]), 1), [1]),
        build.scalar(3, 'int64'),
      ]);
      return build.op('RoiAlign', [maps, build.cast(ids, 1), owner], {
        output_height: int(7),
        output_width: int(7),
        sampling_ratio: int(2),
      });
    }),
  convolutions: () =>
    squared((build) => {
      const table = build.input('table', 'float32', [TABLE, WIDTH]);
      const rows = build.gather(build.input('other', 'float32', [TABLE, 64]), build.input('ids', 'int64', ['n']));
      const images = build.reshape(rows, build.int64s([4, 64, 8, 8]));
      const weights = build.reshape(build.slice(table, [0], [144], [0]), build.int64s([12, 64, 3, 3]));
      const own = build.reshape(build.slice(table, [144, 0], [156, 9], [0, 1]), build.int64s([12, 1, 3, 3]));
      const wide = build.op('Conv', [images, weights], { pads: ints([1, 1, 1, 1]) });
      return build.op('Conv', [wide, own], { group: int(12), pads: ints([1, 1, 1, 1]), strides: ints([2, 2]) });
    }),
  'sums over a batch': () =>
    squared((build) => {
      const rows = build.gather(build.input('other', 'float32', [TABLE, WIDE]), build.input('ids', 'int64', ['n']));
      return build.mul(rows, build.input('table', 'float32', [1, WIDE]));
    }),
  'products and normalization': () =>
    squared((build) => {
      const rows = build.gather(build.input('other', 'float32', [TABLE, WIDE]), build.input('ids', 'int64', ['n']));
      const scale = build.constant(tensorFrom('float32', new Array<number>(WIDE).fill(1.5)));
      const product = build.softmax(build.matMul(rows, build.input('table', 'float32', [WIDE, WIDE])));
      return build.op('LayerNormalization', [product, scale]);
    }),
};

describe('the same bits on every run, with two threads', () => {
  it.each(Object.entries(MODELS))('%s', async (_, make) => {
    const model = make();
    const adding = model.graph.nodes.filter(
      ({ opType, attributes }) => opType === 'ScatterND' && attributes.has('reduction'),
    );
    expect(adding).toEqual([]);
    const source = random(3);
    const ids = Array.from({ length: ROWS }, () => [0, 1, 1, 5, 11, 18, 19][source.integer(7)]!);
    const feeds = Object.fromEntries(
      model.graph.inputs.map(({ name, type }) => {
        const shape = type?.kind === 'tensor' ? (type.shape ?? []) : [];
        const dims = shape.map((dim) => (typeof dim === 'number' ? dim : ROWS));
        if (name === 'ids') return [name, new RuntimeTensor('int64', BigInt64Array.from(ids, BigInt), dims)];
        return [name, new RuntimeTensor('float32', Float32Array.from({ length: sizeOf(dims) }, source.normal), dims)];
      }),
    );
    const session = await InferenceSession.create(encodeModel(model), { intraOpNumThreads: 2, logSeverityLevel: 3 });
    const hashes = new Set<string>();
    for (let run = 0; run < 50; run++) {
      const { table_grad } = await session.run(feeds);
      const { buffer, byteOffset, byteLength } = table_grad!.data as Float32Array;
      hashes.add(
        createHash('sha256')
          .update(new Uint8Array(buffer, byteOffset, byteLength))
          .digest('hex'),
      );
    }
    await session.release();
    expect(hashes.size).toBe(1);
  });
});
