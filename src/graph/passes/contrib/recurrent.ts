import { intOf, stringOf, stringsOf } from '../../attributes.ts';
import type { Value } from '../../builder.ts';
import { type Expansion, type ExpansionContext, number } from './expansion.ts';

/** A hidden state, with a cell state in an LSTM. */
interface State {
  readonly h: Value;
  readonly c?: Value;
}

interface Weights {
  /** [H, gates H], transposed for a product from the right. */
  readonly recurrent: Value;
  /** [gates H] */
  readonly recurrentBias: Value | undefined;
  readonly size: number;
  /** Of an LSTM: input, output, forget; [H] each. */
  readonly peepholes: readonly Value[] | undefined;
}

type Step = (context: ExpansionContext, x: Value, state: State, weights: Weights) => State;

/** Recurrent operators, one step after the other. */
export const RECURRENT = {
  RNN: unrolled(1, ['Tanh'], (context, x, { h }, weights) => ({
    h: context.build.op('Tanh', [context.build.add(x, product(context, h, weights))]),
  })),
  // gates z, r, h
  GRU: unrolled(3, ['Sigmoid', 'Tanh'], (context, x, { h }, weights) => {
    const { build, node } = context;
    const { size } = weights;
    const parts = (value: Value): Value[] => build.split(value, [size, size, size], -1);
    const sigmoid = (a: Value, b: Value): Value => build.op('Sigmoid', [build.add(a, b)]);
    const [xz, xr, xh] = parts(x) as [Value, Value, Value];
    const [hz, hr, hh] = parts(product(context, h, weights)) as [Value, Value, Value];
    const [z, r] = [sigmoid(xz, hz), sigmoid(xr, hr)];
    const inner = (): Value => {
      if (intOf(node, 'linear_before_reset', 0) !== 0) return build.mul(r, hh);
      const own = build.split(weights.recurrent, [size, size, size], -1)[2]!;
      const bias =
        weights.recurrentBias === undefined
          ? undefined
          : build.split(weights.recurrentBias, [size, size, size], -1)[2]!;
      const reset = build.matMul(build.mul(r, h), own);
      return bias === undefined ? reset : build.add(reset, bias);
    };
    const candidate = build.op('Tanh', [build.add(xh, inner())]);
    return { h: build.add(build.mul(build.sub(number(context, 1), z), candidate), build.mul(z, h)) };
  }),
  // gates i, o, f, c
  LSTM: unrolled(4, ['Sigmoid', 'Tanh', 'Tanh'], (context, x, { h, c }, weights) => {
    const { build } = context;
    const { size, peepholes } = weights;
    const gates = build.add(x, product(context, h, weights));
    const [i, o, f, next] = build.split(gates, [size, size, size, size], -1) as [Value, Value, Value, Value];
    const gate = (value: Value, cell: Value, peephole: number): Value =>
      build.op('Sigmoid', [peepholes === undefined ? value : build.add(value, build.mul(peepholes[peephole]!, cell))]);
    const kept = build.mul(gate(f, c!, 2), c!);
    const cell = build.add(kept, build.mul(gate(i, c!, 0), build.op('Tanh', [next])));
    return { h: build.mul(gate(o, cell, 1), build.op('Tanh', [cell])), c: cell };
  }),
} satisfies Record<string, Expansion>;

/** Longer sequences than this make graphs that are slow to load: a hundred nodes for every ten steps of an LSTM. */
export const LONGEST = 256;

/** One state for the rows that a condition [B, 1] holds for, another for the rest. */
function chosen({ build }: ExpansionContext, condition: Value, a: State, b: State): State {
  const h = build.where(condition, a.h, b.h);
  return a.c === undefined ? { h } : { h, c: build.where(condition, a.c, b.c!) };
}

function product({ build }: ExpansionContext, h: Value, { recurrent, recurrentBias }: Weights): Value {
  const inner = build.matMul(h, recurrent);
  return recurrentBias === undefined ? inner : build.add(inner, recurrentBias);
}

/** x [S, B, I], W [directions, gates H, I], R [directions, gates H, H], B [directions, 2 gates H]: Y, Y_h and Y_c. */
function unrolled(gates: number, activations: readonly string[], step: Step): Expansion {
  return (context) => {
    const { build, node, shapeOf, input, has } = context;
    const length = shapeOf(0)[0];
    const size = shapeOf(2)[2];
    const direction = stringOf(node, 'direction', 'forward');
    const count = direction === 'bidirectional' ? 2 : 1;
    if (typeof length !== 'number') throw context.refuse('a sequence of unknown length: fix the dimension');
    if (length < 1 || length > LONGEST)
      throw context.refuse(`${length} steps, expected 1 to ${LONGEST}: shorten the sequence`);
    if (typeof size !== 'number') throw context.refuse('an unknown hidden size');
    if (intOf(node, 'layout', 0) !== 0) throw context.refuse('layout 1');
    if (node.attributes.has('clip')) throw context.refuse('clip');
    if (intOf(node, 'input_forget', 0) !== 0) throw context.refuse('input_forget');
    const named = stringsOf(node, 'activations');
    if (named?.some((name, index) => name !== activations[index % activations.length])) {
      throw context.refuse(`activations ${named.join(', ')}`);
    }
    const byWay = (index: number): readonly Value[] => {
      const parts = count === 1 ? [input(index)] : build.split(input(index), [1, 1], 0);
      return parts.map((part) => build.squeeze(part, [0]));
    };
    const [inputWeights, recurrentWeights] = [byWay(1), byWay(2)];
    const biasesByWay = has(3) ? byWay(3) : undefined;
    const lengths = has(4) ? build.unsqueeze(input(4), [1]) : undefined; // [B, 1]
    const initial = { h: has(5) ? byWay(5) : undefined, c: has(6) ? byWay(6) : undefined };
    const peepholesByWay = has(7) ? byWay(7) : undefined;
    const steps: Value[][] = [];
    const last: State[] = [];
    for (let way = 0; way < count; way++) {
      const turned = (value: Value): Value => build.transpose(value, [1, 0]);
      const half = gates * size;
      const biases = biasesByWay && build.split(biasesByWay[way]!, [half, half], 0);
      const projected = build.matMul(input(0), turned(inputWeights[way]!));
      const x = biases === undefined ? projected : build.add(projected, biases[0]!); // [S, B, gates H]
      const batch = build.gather(build.shape(input(0)), build.int64s([1]));
      const zeros = (): Value => build.expand(number(context, 0), build.concat([batch, build.int64s([size])], 0));
      const weights: Weights = {
        recurrent: turned(recurrentWeights[way]!),
        recurrentBias: biases?.[1],
        size,
        peepholes: peepholesByWay && build.split(peepholesByWay[way]!, [size, size, size], 0),
      };
      let state: State = {
        h: initial.h?.[way] ?? zeros(),
        ...(gates === 4 && { c: initial.c?.[way] ?? zeros() }),
      };
      const backward = direction === 'reverse' || way === 1;
      const hidden = new Array<Value>(length);
      for (let index = 0; index < length; index++) {
        const at = backward ? length - 1 - index : index;
        const next = step(context, build.gather(x, build.scalar(at, 'int64')), state, weights);
        // Behind the end of its sequence a row keeps its state, and gives zeros.
        const within = lengths && build.less(build.scalar(at, 'int32'), lengths);
        hidden[at] = build.unsqueeze(within ? build.where(within, next.h, number(context, 0)) : next.h, [0, 1]);
        state = within ? chosen(context, within, next, state) : next;
      }
      steps.push(hidden);
      last.push(state);
    }
    const sideBySide = (values: readonly Value[], axis: number): Value =>
      values.length === 1 ? values[0]! : build.concat(values, axis);
    const states = (of: (state: State) => Value): Value =>
      sideBySide(
        last.map((state) => build.unsqueeze(of(state), [0])),
        0,
      );
    return [
      context.reads(0)
        ? sideBySide(
            steps.map((hidden) => build.concat(hidden, 0)),
            1,
          )
        : undefined,
      context.reads(1) ? states(({ h }) => h) : undefined,
      gates === 4 && context.reads(2) ? states(({ c }) => c!) : undefined,
    ];
  };
}
