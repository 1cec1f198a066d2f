import { LatheError } from '../../../base/errors.ts';
import { describeNode, graphOf, intOf, intsOf } from '../../attributes.ts';
import { unifyDimensions } from '../../dimension.ts';
import type { Dimension, Graph, Shape } from '../../ir.ts';
import { joinTypes } from '../../value-types.ts';
import type { InferredValue, ShapeContext, ShapeRule } from '../shape-rule.ts';
import { axisWithin, inferredTensor, numbersOfInput, shapeError } from './inferred.ts';

type Value = InferredValue | undefined;

/** What both branches agree on; of a condition that is known, its branch. */
const ifRule: ShapeRule = (context) => {
  const condition = numbersOfInput(context, 0)?.[0];
  const then = subgraph(context, 'then_branch');
  const otherwise = subgraph(context, 'else_branch');
  if (condition !== undefined) return context.infer(condition === 0 ? otherwise : then, []);
  const first = context.infer(then, []);
  const second = context.infer(otherwise, []);
  return context.node.outputs.map((_, index) => join(first[index], second[index]));
};

/** Inputs: trip count, condition, carried values. Outputs: carried values, then a stack of each scanned output. */
const loop: ShapeRule = (context) => {
  const { node, inputValue, elements } = context;
  const body = subgraph(context, 'body');
  const carriedCount = Math.max(0, node.inputs.length - 2);
  const given = node.inputs.slice(2).map((_, index) => inputValue(index + 2));
  const startsTrue = (node.inputs[1] ?? '') === '' || elements(1)?.[0] === 1;
  const iteration = inferredTensor('int64', []);
  const condition = inferredTensor('bool', [], startsTrue ? [1] : undefined);
  const { carried, outputs } = settle(context, given, (values) => {
    const results = context.infer(body, [iteration, condition, ...values]);
    return { carried: results.slice(1, carriedCount + 1), outputs: results };
  });
  const neverStops = startsTrue && outputs[0]?.elements?.[0] === 1;
  const neverStarts = elements(1)?.[0] === 0;
  const trips = neverStarts ? 0 : neverStops ? (elements(0)?.[0] ?? null) : null;
  return [...carried, ...outputs.slice(carriedCount + 1).map((value) => stacked(value, [trips], 0))];
};

/**
 * Carried values of a loop keep their first type where the body gives it back; what changes from one turn to the next
 * becomes unknown, and the body is looked at again with that.
 */
function settle(
  context: ShapeContext,
  initial: readonly Value[],
  turn: (values: readonly Value[]) => { carried: readonly Value[]; outputs: readonly Value[] },
): { carried: readonly Value[]; outputs: readonly Value[] } {
  let values = initial.map((value) => value && { type: value.type });
  for (let round = 0; ; round++) {
    const { carried, outputs } = turn(values);
    const joined = values.map((value, index) => join(value, carried[index]));
    const settled = joined.every((value, index) => JSON.stringify(value) === JSON.stringify(values[index]));
    if (settled) return { carried: joined, outputs };
    // Each round forgets at least one dimension, rank or type; a body cannot go on for ever.
    if (round > 64) throw shapeError(context, 'the types of carried values do not settle');
    values = joined.map((value) => value && { type: value.type });
  }
}

/** Inputs: carried values, then sequences. Outputs: carried values, then sequences. */
const scan: ShapeRule = (context) => {
  return context.opset < 9 ? batchedScan(context) : plainScan(context);
};

const plainScan: ShapeRule = (context) => {
  const { node, inputValue } = context;
  const body = subgraph(context, 'body');
  const scanned = intOf(node, 'num_scan_inputs', 0);
  const carriedCount = carriedCountOf(context, node.inputs.length - scanned);
  const axes = intsOf(node, 'scan_input_axes') ?? [];
  let length: Dimension = null;
  const slices = Array.from({ length: scanned }, (_, index) => {
    const value = inputValue(carriedCount + index);
    if (value?.type.kind !== 'tensor' || value.type.dtype === 'undefined') return undefined;
    const { shape, dtype } = value.type;
    if (shape === undefined) return inferredTensor(dtype, undefined);
    const axis = axisWithin(context, axes[index] ?? 0, shape.length, 'scan_input_axes');
    length = sequenceLength(context, length, shape[axis]!);
    return inferredTensor(dtype, withoutAxis(shape, axis));
  });
  const given = Array.from({ length: carriedCount }, (_, index) => inputValue(index));
  const { carried, outputs } = settle(context, given, (values) => {
    const results = context.infer(body, [...values, ...slices]);
    return { carried: results.slice(0, carriedCount), outputs: results };
  });
  const outputAxes = intsOf(node, 'scan_output_axes') ?? [];
  return [
    ...carried,
    ...outputs.slice(carriedCount).map((value, index) => stacked(value, [length], outputAxes[index] ?? 0)),
  ];
};

/** Operator set 8: an input for the lengths first, and every value has a batch axis that the body does not see. */
const batchedScan: ShapeRule = (context) => {
  const { node, inputValue } = context;
  const body = subgraph(context, 'body');
  const scanned = intOf(node, 'num_scan_inputs', 0);
  const carriedCount = carriedCountOf(context, node.inputs.length - 1 - scanned);
  let batch: Dimension = null;
  let length: Dimension = null;
  const inner = Array.from({ length: carriedCount + scanned }, (_, index) => {
    const value = inputValue(index + 1);
    if (value?.type.kind !== 'tensor' || value.type.dtype === 'undefined') return undefined;
    const { shape, dtype } = value.type;
    const hidden = index < carriedCount ? 1 : 2;
    if (shape === undefined) return inferredTensor(dtype, undefined);
    if (shape.length < hidden) throw shapeError(context, `input "${node.inputs[index + 1]}" needs a batch axis`);
    batch = unifyDimensions(batch, shape[0]!) ?? batch;
    if (hidden === 2) length = sequenceLength(context, length, shape[1]!);
    return inferredTensor(dtype, shape.slice(hidden));
  });
  const { carried, outputs } = settle(context, inner.slice(0, carriedCount), (values) => {
    const results = context.infer(body, [...values, ...inner.slice(carriedCount)]);
    return { carried: results.slice(0, carriedCount), outputs: results };
  });
  return [
    ...carried.map((value) => stacked(value, [batch], 0)),
    ...outputs.slice(carriedCount).map((value) => stacked(value, [batch, length], 0)),
  ];
};

function carriedCountOf(context: ShapeContext, count: number): number {
  if (count >= 0) return count;
  throw new LatheError(
    'invalid-model',
    `${describeNode(context.node)}: num_scan_inputs is more than the ${context.node.inputs.length} inputs`,
  );
}

function sequenceLength(context: ShapeContext, known: Dimension, dim: Dimension): Dimension {
  const length = unifyDimensions(known, dim);
  if (length === undefined) throw shapeError(context, `scanned inputs differ in length: ${known} and ${dim}`);
  return length;
}

function withoutAxis(shape: Shape, axis: number): Shape {
  return shape.filter((_, at) => at !== axis);
}

/** A value with the dimensions of the iteration put in at `axis`. */
function stacked(value: Value, dims: Shape, axis: number): Value {
  if (value?.type.kind !== 'tensor' || value.type.dtype === 'undefined') return undefined;
  const { shape, dtype } = value.type;
  if (shape === undefined) return inferredTensor(dtype, undefined);
  const at = axis < 0 ? axis + shape.length + 1 : axis;
  return inferredTensor(dtype, [...shape.slice(0, at), ...dims, ...shape.slice(at)]);
}

function join(a: Value, b: Value): Value {
  const type = a && b && joinTypes(a.type, b.type);
  return type && { type };
}

function subgraph(context: ShapeContext, name: string): Graph {
  const graph = graphOf(context.node, name);
  if (graph !== undefined) return graph;
  throw new LatheError('invalid-model', `${describeNode(context.node)}: attribute "${name}" is missing`);
}

export const CONTROL = { If: ifRule, Loop: loop, Scan: scan } satisfies Record<string, ShapeRule>;
