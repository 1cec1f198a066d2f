import { type Tensor, tensor } from '../../base/index.ts';
import type { Tokenizer } from '../../data/index.ts';
import { GraphBuilder, int, type Model } from '../../graph/index.ts';
import { openSession } from '../../runtime/index.ts';

/** For the id of each whole word of a vocabulary, the ids of those nearest to it. */
export type NearestWords = ReadonlyMap<number, Int32Array>;

/** Rows at a time: their similarities to all words are in memory at once. */
const ROWS = 256;

/**
 * The `count` whole words of a vocabulary whose embeddings have the largest cosine with that of each other whole word. `table`
 * is float32 [vocabulary, width]. Parts of words, special tokens and signs are left out: they are neither put in place of a word
 * nor have another in theirs.
 */
export async function nearestWords(
  tokenizer: Pick<Tokenizer, 'idToToken' | 'specialIds'>,
  table: Tensor,
  count: number,
): Promise<NearestWords> {
  const [size, width] = table.dims as [number, number];
  const ids: number[] = [];
  for (let id = 0; id < size; id++) {
    const token = tokenizer.specialIds.has(id) ? undefined : tokenizer.idToToken(id);
    if (token !== undefined && WORD.test(token)) ids.push(id);
  }
  const found = new Map<number, Int32Array>();
  const kept = Math.min(count, ids.length - 1);
  if (kept < 1) return found;
  const rows = new Float32Array(ids.length * width);
  for (const [place, id] of ids.entries()) rows.set(unit(table.data as Float32Array, id * width, width), place * width);
  const session = await openSession(similarities(rows, width, kept + 1));
  try {
    for (let start = 0; start < ids.length; start += ROWS) {
      const end = Math.min(ids.length, start + ROWS);
      const some = tensor('float32', [end - start, width], rows.subarray(start * width, end * width));
      const { places } = await session.run({ rows: some }, { outputs: ['places'] });
      const all = places!.data as BigInt64Array;
      for (let row = start; row < end; row++) {
        // A word is nearest to itself.
        const near = all.subarray((row - start) * (kept + 1), (row - start + 1) * (kept + 1));
        const others = Array.from(near, Number).filter((place) => place !== row);
        found.set(
          ids[row]!,
          Int32Array.from(others.slice(0, kept), (place) => ids[place]!),
        );
      }
    }
  } finally {
    await session.close();
  }
  return found;
}

const WORD = /^\p{L}+$/u;

function unit(values: Float32Array, start: number, width: number): Float32Array {
  const row = values.slice(start, start + width);
  let squares = 0;
  for (const value of row) squares += value * value;
  const length = Math.sqrt(squares) || 1;
  return row.map((value) => value / length);
}

/** Rows [batch, width] times all words: the places of the `count` largest, int64 [batch, count]. */
function similarities(words: Float32Array, width: number, count: number): Model {
  const graph = new GraphBuilder();
  const table = graph.initializer('words', tensor('float32', [words.length / width, width], words));
  const products = graph.gemm(graph.input('rows', 'float32', ['batch', width]), table, undefined, { b: true });
  const [, places] = graph.node('TopK', [products, graph.int64s([count])], {
    attributes: { axis: int(-1) },
    outputs: ['values', 'places'],
  });
  graph.output(places!, { dtype: 'int64', shape: ['batch', count] });
  return graph.build();
}
