import { tensorFrom } from '../../base/index.ts';
import type { Value } from '../../graph/index.ts';
import type { Build } from '../build.ts';
import type { Initialization } from '../initialization.ts';
import { parameter } from '../parameter.ts';

const BUCKETS = 32;
const FARTHEST = 128;

/**
 * What attention adds to its scores for the distance of two tokens (Raffel et al., 2019, as MPNet uses it): float32
 * [1, heads, sequence, sequence] from a table [32, heads] named `<name>.weight`. `sequence` is int64 [1], at most
 * `positions`.
 */
export function relativePositions(
  build: Build,
  name: string,
  options: {
    readonly heads: number;
    readonly positions: number;
    readonly sequence: Value;
    readonly initialization: Initialization;
  },
): Value {
  const { graph } = build;
  const { heads, positions, sequence, initialization } = options;
  const table = parameter(build, `${name}.weight`, [BUCKETS, heads], initialization);
  const all = graph.constant(
    tensorFrom(
      'int64',
      Array.from({ length: positions }, (_, position) => position),
    ),
  );
  const counted = graph.op('Slice', [all, graph.int64s([0]), sequence, graph.int64s([0])]); // [T]
  const distances = graph.sub(graph.unsqueeze(counted, [0]), graph.unsqueeze(counted, [1])); // [T, T]: key − query
  const buckets = Array.from({ length: 2 * positions - 1 }, (_, index) => bucketOf(index - (positions - 1)));
  const bucket = graph.gather(
    graph.constant(tensorFrom('int64', buckets)),
    graph.add(distances, graph.scalar(positions - 1, 'int64')),
  ); // [T, T]
  return graph.unsqueeze(graph.transpose(graph.gather(table, bucket), [2, 0, 1]), [0]); // [1, heads, T, T]
}

/**
 * The bucket of a distance: one for each short distance, then logarithmically wider ones; those of keys behind the query
 * come second. In float32 like PyTorch, which decides on which side of a border a distance falls.
 */
export function bucketOf(distance: number): number {
  const half = BUCKETS / 2;
  const exact = half / 2;
  const first = distance > 0 ? half : 0;
  const length = Math.abs(distance);
  if (length < exact) return first + length;
  const ratio = Math.fround(Math.fround(Math.log(length / exact)) / Math.fround(Math.log(FARTHEST / exact)));
  return first + Math.min(half - 1, exact + Math.trunc(Math.fround(ratio * (half - exact))));
}
