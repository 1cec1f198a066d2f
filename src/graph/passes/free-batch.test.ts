import { describe, expect, it } from 'vitest';
import { numbersOf, tensorFrom } from '../../base/index.ts';
import { check, evaluate, freeBatch, GraphBuilder, type Model, type Value } from '../index.ts';

const VALUES = Array.from({ length: 3 * 8 }, (_, at) => Math.sin(at));

function model(end: (build: GraphBuilder, x: Value) => Value, batch: number | string = 1): Model {
  const build = new GraphBuilder();
  const x = build.input('x', 'float32', [batch, 2, 2, 2]);
  const flat = build.reshape(build.op('Relu', [x]), build.int64s([1, 8]));
  build.output(end(build, flat), { dtype: 'float32', shape: [1, 3] }, 'y');
  return build.build();
}

const linear = (build: GraphBuilder, x: Value): Value =>
  build.matMul(x, build.initializer('weight', tensorFrom('float32', VALUES, [8, 3])));

describe('a batch of one', () => {
  it('becomes one of any size, with the same rows', () => {
    // Back and forth: the second Reshape follows what the first gives.
    const given = model((build, x) =>
      linear(build, build.reshape(build.reshape(x, build.int64s([1, -1, 2])), build.int64s([1, 8]))),
    );
    const { model: freed, changed } = freeBatch(given);
    expect(changed).toBe(true);
    check(freed);
    expect(freed.graph.inputs[0]!.type).toMatchObject({ shape: ['batch', 2, 2, 2] });
    expect(freed.graph.outputs[0]!.type).toMatchObject({ dtype: 'float32', shape: ['batch', 3] });
    expect(freed.graph.initializers.get('weight')).toBe(given.graph.initializers.get('weight'));
    const all = numbersOf(evaluate(freed, { x: tensorFrom('float32', VALUES, [3, 2, 2, 2]) }).y!);
    const rows = [0, 1, 2].flatMap((row) =>
      numbersOf(evaluate(given, { x: tensorFrom('float32', VALUES.slice(8 * row, 8 * row + 8), [1, 2, 2, 2]) }).y!),
    );
    expect(all).toEqual(rows);
  });

  it('stays where it is open already', () => {
    const given = model(linear, 'n');
    expect(freeBatch(given)).toEqual({ model: given, changed: false });
  });

  it('is refused where the graph has it built in', () => {
    const summed = model((build, x) => linear(build, build.reduceSum(x, [0])));
    expect(() => freeBatch(summed)).toThrow(/batches of 1 alone: output "y" does not follow\n.*dynamic_axes/);
    const joined = model((build, x) => {
      const token = build.initializer('token', tensorFrom('float32', [1, 2, 3, 4], [1, 4]));
      return linear(build, build.concat([token, build.slice(x, [0], [4], [1])], 1));
    });
    expect(() => freeBatch(joined)).toThrow(/batches of 1 alone/);
    // Rows of all examples are one axis in between, which does not say in what order.
    const byPlace = model((build, x) => {
      const places = build.reshape(build.reshape(x, build.int64s([1, 4, 2])), build.int64s([-1, 2]));
      return linear(build, build.reshape(build.op('Relu', [places]), build.int64s([1, 8])));
    });
    expect(() => freeBatch(byPlace)).toThrow(/batches of 1 alone: output "y" does not follow/);
  });
});
