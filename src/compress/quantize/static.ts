import { float64Of, type Tensor, tensor, tensorFrom } from '../../base/index.ts';
import {
  convertOperatorSet,
  foldConstants,
  GraphBuilder,
  int,
  liftConstants,
  type Model,
  type Node,
  opsetOf,
  removeDeadNodes,
  type Value,
} from '../../graph/index.ts';
import { type CalibrationOptions, calibrate } from './calibrate.ts';
import { foldIntoConvolutions } from './fold-into-convolutions.ts';
import { withIntegerRows } from './integer-rows.ts';
import { integerWeights } from './integer-weights.ts';
import { constantsOf, linearNode, matrixOf, scaledConstant } from './linear-nodes.ts';
import type { Range } from './observers.ts';
import { writePiecewise } from './piecewise-activations.ts';
import type { Quantized } from './products.ts';
import { dataInputs, planStatic, type StaticPlan } from './static-plan.ts';

export interface StaticOptions {
  /** A scale for each output of a weight, or one for all of it. Default true. */
  readonly perChannel?: boolean;
  /** Of weights. Default int8, which is faster; uint8 never saturates on processors without VNNI. */
  readonly weightType?: 'int8' | 'uint8';
  /** Weights of 7 bits, which do not saturate on processors without VNNI. Default false. */
  readonly reduceRange?: boolean;
  /** Writes HardSwish and HardSigmoid in operators that there are in integers. Default true. */
  readonly piecewise?: boolean;
  /** Weights of fewer elements stay floats. Default 0: between integers, floats cost more than they are worth. */
  readonly minimumElements?: number;
  /** Ranges that are known already: these values are not looked at again. */
  readonly ranges?: ReadonlyMap<string, Range>;
  /** Nodes to leave as they are, by their first output in `prepareStatic`. */
  readonly except?: ReadonlySet<string>;
}

export interface StaticallyQuantized extends Quantized {
  /** What calibration found, for another run over the same data. */
  readonly ranges: ReadonlyMap<string, Range>;
}

/** A model as static quantization takes it: weights in one place, with batch normalization folded into convolutions. */
export function prepareStatic(given: Model, { piecewise = true }: Pick<StaticOptions, 'piecewise'> = {}): Model {
  const lifted = liftConstants(convertOperatorSet(given).model).model;
  const folded = foldIntoConvolutions(foldConstants(lifted, { weights: true, maximumBytes: 0 }).model).model;
  return removeDeadNodes(piecewise ? writePiecewise(folded).model : folded).model;
}

/**
 * Makes convolutions and products integer ones with scales that are found beforehand, on batches of real inputs: activations
 * uint8 with a scale each, weights int8 with a scale for each output, biases int32. What lies between them (sums, products,
 * pools, Concat, changes of shape) stays in integers where ONNX Runtime has it so. The graph is written with pairs of
 * QuantizeLinear and DequantizeLinear, which ONNX Runtime fuses (QLinearConv, QGemm, QLinearAdd, …). An answer does not depend
 * on its neighbours in a batch.
 *
 * A model older than operator set 17 is raised to it. Throws what `calibrate` throws.
 */
export async function quantizeStatic(
  given: Model,
  batches: readonly Readonly<Record<string, Tensor>>[],
  options: StaticOptions & CalibrationOptions = {},
): Promise<StaticallyQuantized> {
  const { except = new Set<string>(), minimumElements = 0 } = options;
  const rows = withIntegerRows(prepareStatic(given, options), { minimumElements: SMALLEST_TABLE, except });
  const { model } = rows;
  const constant = constantsOf(model);
  const plan = planStatic(model, constant, { except, minimumElements });
  const { kept } = plan;
  if (plan.quantized.size === 0) {
    const changed = rows.quantized.length > 0;
    const left = changed ? removeDeadNodes(model).model : given;
    return { model: left, changed, quantized: rows.quantized, kept, ranges: new Map() };
  }
  const known = options.ranges ?? new Map<string, Range>();
  const unknown = plan.values.filter((name) => !known.has(name));
  const found = unknown.length === 0 ? [] : await calibrate(model, unknown, batches, options);
  const ranges = new Map([...known, ...found]);
  const planned = graphOrder(model, plan.quantized);
  const written = writeStatic(model, plan, ranges, constant, options);
  return {
    model: removeDeadNodes(written).model,
    changed: true,
    quantized: [...rows.quantized, ...planned],
    kept,
    ranges,
  };
}

/** Tables of fewer elements stay floats: they save nothing. */
const SMALLEST_TABLE = 4096;

function graphOrder({ graph }: Model, nodes: ReadonlySet<Node>): string[] {
  return graph.nodes.flatMap((node) => (nodes.has(node) ? [node.outputs[0]!] : []));
}

interface Scale {
  readonly scale: number;
  readonly zeroPoint: number;
}

function scaleOf({ low, high }: Range): Scale {
  const scale = Math.fround((high - low) / 255);
  // A value that is always zero, or next to it.
  if (scale < 2 ** -100) return { scale: 1, zeroPoint: 0 };
  return { scale, zeroPoint: Math.max(0, Math.min(255, Math.round(-low / scale))) };
}

function writeStatic(
  model: Model,
  plan: StaticPlan,
  ranges: ReadonlyMap<string, Range>,
  constant: (name: string) => Tensor | undefined,
  options: StaticOptions,
): Model {
  const { graph } = model;
  const build = new GraphBuilder({ opset: opsetOf(model)!, extending: graph });
  const integers = new Map<string, Value>();
  const floats = new Map<string, Value>();
  const scaleOfValue = (name: string): Scale => {
    const alias = plan.aliases.get(name);
    const { scale, zeroPoint } = scaleOf(ranges.get(alias?.of ?? name)!);
    return { scale: scale * (alias?.factor ?? 1), zeroPoint };
  };
  const pair = ({ scale, zeroPoint }: Scale): [Value, Value] => [
    build.scalar(scale, 'float32'),
    build.constant(tensorFrom('uint8', zeroPoint)),
  ];
  const node = (opType: string, inputs: readonly Value[], hint: string): Value =>
    build.node(opType, inputs, { hint })[0]!;
  /** A value made integers and floats again: what integer nodes read, and whatever reads what they give. */
  const throughIntegers = (name: string): Value => {
    const known = floats.get(name);
    if (known !== undefined) return known;
    const values = constant(name);
    let steps: Value;
    let scale: Scale;
    if (values !== undefined) {
      scale = scaleOf(rangeOf(values));
      steps = build.constant(quantized(values, scale), `${name}_quantized`);
    } else {
      scale = scaleOfValue(name);
      const source = sourceOf.get(name) ?? name;
      steps =
        integers.get(source) ?? node('QuantizeLinear', [source, ...pair(scaleOfValue(source))], `${source}_quantized`);
      integers.set(source, steps);
    }
    const value = node('DequantizeLinear', [steps, ...pair(scale)], `${name}_dequantized`);
    floats.set(name, value);
    return value;
  };
  /** What a constant multiplies has the integers of what it multiplies: only their scale is another. */
  const sourceOf = new Map<string, string>();
  const nodes: Node[] = [];
  for (const each of graph.nodes) {
    const start = build.nodes.length;
    const isInteger = plan.quantized.has(each);
    if (isInteger && (each.opType === 'Div' || (each.opType === 'Mul' && plan.aliases.has(each.outputs[0]!)))) {
      const [first, second] = each.inputs as [string, string];
      const value = constant(first) === undefined ? first : second;
      sourceOf.set(each.outputs[0]!, sourceOf.get(value) ?? value);
      continue;
    }
    const data = new Set(isInteger ? dataInputs(each) : each.inputs.filter((name) => plan.given.has(name)));
    let written: Node;
    if (isInteger && each.opType === 'Conv') {
      written = { ...each, inputs: convolutionInputs(each) };
    } else if (isInteger && (each.opType === 'Gemm' || each.opType === 'MatMul')) {
      written = product(each);
    } else {
      written = { ...each, inputs: each.inputs.map((name) => (data.has(name) ? throughIntegers(name) : name)) };
    }
    nodes.push(...build.nodes.slice(start), written);
  }

  function weightOf(
    name: string,
    dims: readonly number[],
    values: Float32Array,
    axis: number,
    input: Scale,
    bias: Tensor | undefined,
  ): readonly [weight: Value, bias: Value | undefined] {
    const { perChannel = true, weightType, reduceRange } = options;
    const biases = bias && float64Of(bias);
    const made = integerWeights(dims, values, {
      axis: perChannel ? axis : undefined,
      ...(weightType && { dtype: weightType }),
      ...(reduceRange !== undefined && { reduceRange }),
      // The bias is to fit into 32 bits at the scale of the products.
      ...(biases && { leastScale: (place: number) => leastScale(biases, perChannel ? place : undefined, input.scale) }),
    });
    const named = (value: Tensor, what: string): Value => build.constant(value, `${name}_${what}`);
    const weight = build.op(
      'DequantizeLinear',
      [named(made.values, 'quantized'), named(made.scales, 'scale'), named(made.zeroPoints, 'zero_point')],
      { axis: int(axis) },
    );
    if (biases === undefined) return [weight, undefined];
    const weightScales = float64Of(made.scales);
    const scales = Float32Array.from(biases, (_, place) => input.scale * weightScales[perChannel ? place : 0]!);
    const steps = Int32Array.from(biases, (value, place) => Math.round(value / scales[place]!));
    const scaleValue = tensor('float32', [scales.length], scales);
    const integerBias = build.op(
      'DequantizeLinear',
      [named(tensor('int32', [steps.length], steps), 'bias'), named(scaleValue, 'bias_scale')],
      { axis: int(0) },
    );
    return [weight, integerBias];
  }

  function convolutionInputs({ inputs }: Node): string[] {
    const [x, weight, bias = ''] = inputs as [string, string, string?];
    const value = constant(weight)!;
    const read = throughIntegers(x);
    const [w, b] = weightOf(
      weight,
      value.dims,
      value.data as Float32Array,
      0,
      scaleOfValue(x),
      bias === '' ? undefined : constant(bias)!,
    );
    return [read, w, ...(b === undefined ? [] : [b])];
  }

  function product(each: Node): Node {
    const linear = linearNode(each, constant)!;
    const { x, weight, inputs, outputs, bias } = linear;
    const read = throughIntegers(x);
    const fixed = bias && scaledConstant(constant(bias.name), bias.scale);
    const isRow = fixed !== undefined && fixed.data.length === outputs && fixed.dims.at(-1) === outputs;
    const [w, b] = weightOf(
      weight,
      [inputs, outputs],
      matrixOf(linear, constant),
      1,
      scaleOfValue(x),
      isRow ? fixed : undefined,
    );
    const attributes = new Map(
      bias !== undefined && b === undefined && bias.scale !== 1
        ? [['beta', each.attributes.get('beta')!] as const]
        : [],
    );
    const addend = b ?? bias?.name;
    return { ...each, attributes, inputs: [read, w, ...(addend === undefined ? [] : [addend])] };
  }

  return {
    ...model,
    graph: { ...graph, nodes, initializers: new Map([...graph.initializers, ...build.initializers]), valueInfo: [] },
  };
}

function leastScale(biases: Float64Array, place: number | undefined, inputScale: number): number {
  const largest =
    place === undefined ? biases.reduce((most, value) => Math.max(most, Math.abs(value)), 0) : Math.abs(biases[place]!);
  return largest / inputScale / 2 ** 30;
}

function rangeOf(value: Tensor): Range {
  const values = float64Of(value);
  return {
    low: values.reduce((least, element) => Math.min(least, element), 0),
    high: values.reduce((most, element) => Math.max(most, element), 0),
  };
}

function quantized(value: Tensor, { scale, zeroPoint }: Scale): Tensor {
  const steps = Uint8Array.from(float64Of(value), (element) =>
    Math.max(0, Math.min(255, Math.round(element / scale) + zeroPoint)),
  );
  return tensor('uint8', value.dims, steps);
}
