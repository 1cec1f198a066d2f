import { expect, it } from 'vitest';
import { gradient } from '../src/autodiff/index.ts';
import { numbersOf, random, sizeOf, type Tensor, tensorFrom } from '../src/base/index.ts';
import { evaluate, GraphBuilder, int, type Model, opsetOf, tensorInfo } from '../src/graph/index.ts';
import { inFloat64, widened } from './in-float64.ts';
import { type Case, dataSetsOf, knownCases, LEFT_OUT } from './onnx-cases.ts';

// The operator cases of the ONNX project, differentiated: the gradient of a weighted sum of each case's outputs, along one
// random direction, against the difference of that sum along the direction.

/** How many cases are compared. One that drops out is a failure. */
const MINIMUM = 485;

const KINK = 'its input lies on a kink';
const STEP = 'a difference across a step is not a slope';
const NOT_COMPARED: Readonly<Record<string, string>> = {
  ...LEFT_OUT,
  test_castlike_STRING_to_FLOAT: 'the type of its output is not known',
  test_castlike_STRING_to_FLOAT_expanded: 'one of its elements is NaN',
  test_floor_example: STEP,
  test_gridsample_aligncorners_true: KINK,
  test_gridsample_bilinear: KINK,
  test_gridsample_nearest: STEP,
  test_hardmax_one_hot: STEP,
  test_leakyrelu_example: KINK,
  test_pow: 'negative numbers to the power of fractions are NaN',
  test_reduce_min_default_axes_keepdims_example: KINK,
  test_scatternd_multiply: 'the reduction is refused, by name',
  test_sign: STEP,
  test_sign_model: STEP,
};

/** Inputs of operators whose gradients are refused. */
const NOT_DIFFERENTIATED: Readonly<Record<string, readonly number[]>> = {
  NegativeLogLikelihoodLoss: [2],
  SoftmaxCrossEntropyLoss: [2],
  Dropout: [1],
  Resize: [1, 2],
  RoiAlign: [1],
};

/** Inputs that are float32 whatever the type of the others. */
const ALWAYS_FLOAT32: Readonly<Record<string, readonly number[]>> = { Resize: [2] };

interface Differentiable {
  readonly model: Model;
  readonly feeds: Readonly<Record<string, Tensor>>;
}

/** The case in float64, or undefined where it is not one for gradients: an older operator set, sequences, no known result. */
function inWideForm(onnxCase: Case): Differentiable | undefined {
  const given = onnxCase.model;
  if ((opsetOf(given) ?? 0) < 13) return undefined;
  const float32 = inputsOf(given, ALWAYS_FLOAT32);
  const [values] = dataSetsOf(onnxCase);
  if (!given.graph.inputs.every(({ name }) => values?.feeds[name] !== undefined)) return undefined;
  const feeds = Object.entries(values!.feeds).map(([name, value]) => [
    name,
    float32.has(name) ? value : widened(value),
  ]);
  return { model: inFloat64(given, float32), feeds: Object.fromEntries(feeds) };
}

/** The values that stand at the given places of operators. */
function inputsOf({ graph }: Model, places: Readonly<Record<string, readonly number[]>>): Set<string> {
  return new Set(graph.nodes.flatMap((node) => (places[node.opType] ?? []).map((index) => node.inputs[index] ?? '')));
}

/** The relative difference between the two slopes; undefined where there is nothing to differentiate. */
function disagreement({ model, feeds }: Differentiable): number | undefined {
  const { graph } = model;
  const kept = inputsOf(model, NOT_DIFFERENTIATED);
  const wanted = Object.keys(feeds).filter((name) => feeds[name]!.dtype === 'float64' && !kept.has(name));
  const results = evaluate(model, feeds);
  const build = new GraphBuilder({ opset: opsetOf(model)!, extending: graph });
  const source = random(5);
  const normal = (count: number): number[] => Array.from({ length: count }, source.normal);
  const terms = graph.outputs.flatMap(({ name }) => {
    const { dtype, dims } = results[name]!;
    if (dtype !== 'float64') return [];
    const weight = build.constant(tensorFrom('float64', normal(sizeOf(dims)), dims));
    return [build.op('ReduceSum', [build.mul(name, weight)], { keepdims: int(0) })];
  });
  if (wanted.length === 0 || terms.length === 0) return undefined;
  const loss = build.op('Sum', terms);
  const summed: Model = {
    ...model,
    graph: {
      ...graph,
      nodes: [...graph.nodes, ...build.nodes],
      initializers: new Map([...graph.initializers, ...build.initializers]),
      outputs: [tensorInfo(loss, { dtype: 'float64', shape: [] })],
    },
  };
  const gradients = evaluate(gradient(summed, { of: loss, withRespectTo: wanted }), feeds);
  const directions = new Map(wanted.map((name) => [name, normal(feeds[name]!.data.length)] as const));
  const parts = wanted.flatMap((name) =>
    numbersOf(gradients[`${name}_grad`]!).map((value, index) => value * directions.get(name)![index]!),
  );
  const lossAt = (distance: number): number => {
    const moved = wanted.map((name) => {
      const values = numbersOf(feeds[name]!).map((value, index) => value + distance * directions.get(name)![index]!);
      return [name, tensorFrom('float64', values, feeds[name]!.dims)] as const;
    });
    return numbersOf(evaluate(summed, { ...feeds, ...Object.fromEntries(moved) })[loss]!)[0]!;
  };
  const step = 2 ** -20;
  const slope = (lossAt(step) - lossAt(-step)) / (2 * step);
  const scale = Math.max(1e-3, Math.abs(slope), ...parts.map(Math.abs));
  return Math.abs(slope - parts.reduce((sum, part) => sum + part, 0)) / scale;
}

it('gradients agree with differences on the operator cases of ONNX', () => {
  const disagreements: string[] = [];
  let compared = 0;
  for (const onnxCase of knownCases('node')) {
    const { name } = onnxCase;
    const read = Object.hasOwn(NOT_COMPARED, name) ? undefined : inWideForm(onnxCase);
    if (read === undefined) continue;
    try {
      const difference = disagreement(read);
      if (difference === undefined) continue;
      compared++;
      // A loss of thousands of terms divided by a step of 1e-6 keeps five or six of its sixteen digits.
      if (!(difference <= 1e-5)) disagreements.push(`${name}: ${difference}`);
    } catch (error) {
      disagreements.push(`${name}: ${(error as Error).message.split('\n')[0]}`);
    }
  }
  expect(disagreements).toEqual([]);
  expect(compared).toBeGreaterThanOrEqual(MINIMUM);
});
