import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { gradient } from '../../autodiff/index.ts';
import { numbersOf, tensorFrom } from '../../base/index.ts';
import { GraphBuilder, type Value } from '../../graph/index.ts';
import { openSession, type Session } from '../../runtime/index.ts';
import { attentionDistance } from './attention-distance.ts';
import { channelDistance } from './channel-distance.ts';
import { cosineDistance, hiddenDistance } from './hidden-distance.ts';
import { relationDistance } from './relation-distance.ts';

/** By fixtures/distances.py: PyTorch in float64. */
interface Case {
  readonly distance: keyof typeof DISTANCES;
  readonly options: Readonly<Record<string, number | readonly number[]>>;
  readonly inputs: Readonly<Record<string, { readonly dims: readonly number[]; readonly values: readonly number[] }>>;
  readonly value: number;
  readonly gradients: Readonly<Record<string, readonly number[]>>;
}

type Build = (graph: GraphBuilder, options: Case['options'], inputs: Readonly<Record<string, Value>>) => Value;
const pair = (option: Case['options'][string] | undefined): readonly [number, number] =>
  option as unknown as readonly [number, number];

const DISTANCES = {
  attention: (graph, { heads }, { student, teacher, mask }) =>
    attentionDistance(
      graph,
      { scores: student!, heads: pair(heads)[0] },
      { scores: teacher!, heads: pair(heads)[1] },
      mask!,
    ),
  hidden: (graph, { widths }, { student, teacher, weight, bias }) =>
    hiddenDistance(
      graph,
      { states: student!, width: pair(widths)[0] },
      { states: teacher!, width: pair(widths)[1] },
      { weight: weight!, bias: bias! },
    ),
  cosine: (graph, { width }, { student, teacher, mask }) =>
    cosineDistance(graph, student!, teacher!, { width: width as number, mask: mask! }),
  relation: (graph, { heads, widths }, { student_from, student_to, teacher_from, teacher_to, mask }) =>
    relationDistance(
      graph,
      { from: student_from!, to: student_to!, width: pair(widths)[0] },
      { from: teacher_from!, to: teacher_to!, width: pair(widths)[1] },
      { heads: heads as number, mask: mask! },
    ),
  channel: (graph, { temperature }, { student, teacher }) =>
    channelDistance(graph, student!, teacher!, { temperature: temperature as number }),
} satisfies Record<string, Build>;

const CASES = JSON.parse(readFileSync(new URL('fixtures/distances.json', import.meta.url), 'utf8')) as readonly Case[];

const sessions: Session[] = [];
afterAll(async () => {
  for (const session of sessions) await session.close();
});

describe('distances and their gradients equal PyTorch', () => {
  it.each(CASES.map((test) => [`${test.distance} ${JSON.stringify(test.options)}`, test] as const))(
    '%s',
    async (_, { distance, options, inputs, value, gradients }) => {
      const graph = new GraphBuilder();
      const names = Object.fromEntries(
        Object.entries(inputs).map(([name, { dims }]) => [name, graph.input(name, 'float32', dims)]),
      );
      const result = (DISTANCES[distance] as Build)(graph, options, names);
      graph.output(result, { dtype: 'float32', shape: [] }, 'distance');
      const wanted = Object.keys(gradients);
      const session = await openSession(gradient(graph.build(), { of: 'distance', withRespectTo: wanted }));
      sessions.push(session);
      const feeds = Object.entries(inputs).map(([name, { dims, values }]) => [
        name,
        tensorFrom('float32', values, dims),
      ]);
      const got = await session.run(Object.fromEntries(feeds));
      // Both begin with numbers that float32 holds exactly: what differs are roundings, of the largest number of a sum.
      expect(Math.abs(numbersOf(got.distance!)[0]! - value)).toBeLessThanOrEqual(1e-6 * Math.max(1, Math.abs(value)));
      for (const name of wanted) {
        const largest = Math.max(...gradients[name]!.map(Math.abs));
        const errors = numbersOf(got[`${name}_grad`]!).map((element, at) => Math.abs(element - gradients[name]![at]!));
        expect(Math.max(...errors), name).toBeLessThanOrEqual(1e-6 * Math.max(1, largest));
      }
    },
  );

  it('covers every distance', () => {
    expect(new Set(CASES.map(({ distance }) => distance))).toEqual(new Set(Object.keys(DISTANCES)));
  });
});
