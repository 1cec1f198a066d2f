import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { gradient } from '../src/autodiff/index.ts';
import { numbersOf, random, sizeOf, type Tensor, tensorFrom } from '../src/base/index.ts';
import {
  type Attribute,
  decodeModel,
  decodeTensor,
  evaluate,
  GraphBuilder,
  int,
  isKnownOperator,
  type Model,
  type Node,
  opsetOf,
  type StoredTensor,
  stored,
  tensorInfo,
  tensorOf,
  type ValueInfo,
} from '../src/graph/index.ts';

/**
 * The operator cases of the ONNX project (Debian package libonnx-testdata), differentiated: the gradient of a weighted
 * sum of each case's outputs, along one random direction, against the difference of that sum along the direction.
 */
const ROOT = '/usr/share/libonnx-testdata/data/node';
/** How many cases are compared. One that drops out is a failure. */
const MINIMUM = 485;

const KINK = 'its input lies on a kink';
const STEP = 'a difference across a step is not a slope';
const SEQUENCE = 'sequences are not tensors';
const RANDOM = 'drops elements at random, by the random numbers of the runtime';
const LEFT_OUT: Readonly<Record<string, string>> = {
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
  test_if_opt: SEQUENCE,
  test_if_seq: SEQUENCE,
  test_training_dropout: RANDOM,
  test_training_dropout_mask: RANDOM,
  test_training_dropout_default: RANDOM,
  test_training_dropout_default_mask: RANDOM,
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

interface OnnxCase {
  readonly model: Model;
  readonly feeds: Readonly<Record<string, Tensor>>;
}

/** The case in float64, or undefined where it is not one for gradients: other operators, sequences, no known result. */
function readCase(name: string): OnnxCase | undefined {
  const read = decodeModel(readFileSync(join(ROOT, name, 'model.onnx')));
  const float32 = inputsOf(read, ALWAYS_FLOAT32);
  const model = inFloat64(read, float32);
  const opset = opsetOf(model);
  if (opset === undefined || opset < 13 || !model.graph.nodes.every(isKnownOperator)) return undefined;
  const feeds: Record<string, Tensor> = {};
  for (const [index, input] of model.graph.inputs.entries()) {
    if (input.type?.kind !== 'tensor') return undefined;
    const file = join(ROOT, name, 'test_data_set_0', `input_${index}.pb`);
    const saved = decodeTensor(readFileSync(file));
    const value = float32.has(input.name) ? saved : widened(saved);
    if (value.dtype !== input.type.dtype) return undefined;
    feeds[input.name] = tensorOf(value);
  }
  return { model, feeds };
}

function widened(value: StoredTensor): StoredTensor {
  return value.dtype === 'float32' ? stored(tensorFrom('float64', numbersOf(tensorOf(value)), value.dims)) : value;
}

/** The values that stand at the given places of operators. */
function inputsOf({ graph }: Model, places: Readonly<Record<string, readonly number[]>>): Set<string> {
  return new Set(graph.nodes.flatMap((node) => (places[node.opType] ?? []).map((index) => node.inputs[index] ?? '')));
}

function inFloat64(model: Model, float32: ReadonlySet<string>): Model {
  const attribute = (node: Node, name: string, value: Attribute): Attribute => {
    if (value.kind === 'tensor') return { ...value, value: widened(value.value) };
    return node.opType === 'Cast' && name === 'to' && value.value === 1 ? int(11) : value;
  };
  const info = (value: ValueInfo): ValueInfo =>
    value.type?.kind === 'tensor' && value.type.dtype === 'float32' && !float32.has(value.name)
      ? { ...value, type: { ...value.type, dtype: 'float64' } }
      : value;
  const { graph } = model;
  const nodes = graph.nodes.map((node) => ({
    ...node,
    attributes: new Map([...node.attributes].map(([name, value]) => [name, attribute(node, name, value)] as const)),
  }));
  const inputs = graph.inputs.map(info);
  return { ...model, graph: { ...graph, nodes, inputs, outputs: graph.outputs.map(info), valueInfo: [] } };
}

/** The relative difference between the two slopes; undefined where there is nothing to differentiate. */
function disagreement({ model, feeds }: OnnxCase): number | undefined {
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
  for (const name of readdirSync(ROOT)) {
    if (Object.hasOwn(LEFT_OUT, name) || !existsSync(join(ROOT, name, 'test_data_set_0'))) continue;
    const read = readCase(name);
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
