import { integersOf } from '../../../base/elements.ts';
import { LatheError } from '../../../base/errors.ts';
import { formatDims, normalizeAxis, sizeOf, stridesOf } from '../../../base/shape.ts';
import { type Tensor, tensor } from '../../../base/tensor.ts';
import { graphOf, intOf, intsOf } from '../../attributes.ts';
import type { Graph, Node } from '../../ir.ts';
import type { Reference, ReferenceContext } from '../reference.ts';
import { required } from './inputs.ts';
import { transposed } from './layout.ts';
import { strided } from './positions.ts';
import { join, reshaped, take, zeroOf } from './take.ts';

export const CONTROL_FLOW = {
  If: (context) => {
    const branch = holds(required(context, 0)) ? 'then_branch' : 'else_branch';
    return context.evaluate(bodyOf(context.node, branch), []);
  },
  Loop: loop,
  Scan: (context) => (context.opset < 9 ? batchedScan(context) : scan(context)),
} satisfies Record<string, Reference>;

function bodyOf(node: Node, name: string): Graph {
  const graph = graphOf(node, name);
  if (graph === undefined) throw new LatheError('invalid-model', `attribute "${name}" is missing`);
  return graph;
}

function holds(condition: Tensor): boolean {
  const values = integersOf(condition);
  if (condition.dtype !== 'bool' || values.length !== 1)
    throw new LatheError('shape', `condition: expected one bool, got ${condition.dtype}${formatDims(condition.dims)}`);
  return values[0] !== 0n;
}

function loop(context: ReferenceContext): readonly Tensor[] {
  const body = bodyOf(context.node, 'body');
  const [count, initial] = context.inputs;
  const trips = count === undefined ? undefined : integersOf(count)[0]!;
  let going = initial === undefined || holds(initial);
  let carried: readonly Tensor[] = context.inputs.slice(2).map((_, index) => required(context, index + 2));
  const scanned: Tensor[][] = body.outputs.slice(1 + carried.length).map(() => []);
  for (let trip = 0n; going && (trips === undefined || trip < trips); trip++) {
    const condition = tensor('bool', [], Uint8Array.of(1));
    const outputs = context.evaluate(body, [tensor('int64', [], BigInt64Array.of(trip)), condition, ...carried]);
    going = holds(outputs[0]!);
    const states = carried.length;
    carried = outputs.slice(1, 1 + states);
    outputs.slice(1 + states).forEach((value, index) => void scanned[index]!.push(value));
  }
  return [...carried, ...scanned.map((values, index) => stack(values, 0, body, 1 + carried.length + index))];
}

function scan(context: ReferenceContext): readonly Tensor[] {
  const { node } = context;
  const body = bodyOf(node, 'body');
  const values = context.inputs.map((_, index) => required(context, index));
  const inputs = intOf(node, 'num_scan_inputs');
  if (inputs === undefined) throw new LatheError('invalid-model', 'attribute "num_scan_inputs" is missing');
  const states = values.length - inputs;
  const outputs = body.outputs.length - states;
  const list = (name: string, length: number): readonly number[] =>
    intsOf(node, name) ?? new Array<number>(length).fill(0);
  const inputAxes = list('scan_input_axes', inputs);
  const inputDirections = list('scan_input_directions', inputs);
  const outputAxes = list('scan_output_axes', outputs);
  const outputDirections = list('scan_output_directions', outputs);
  const sequences = values.slice(states);
  const lengths = sequences.map(({ dims }, index) => dims[normalizeAxis(inputAxes[index]!, dims.length)]!);
  if (new Set(lengths).size > 1)
    throw new LatheError('shape', `scan inputs differ in length: ${lengths.join(' and ')}`);
  const length = lengths[0] ?? 0;
  let carried: readonly Tensor[] = values.slice(0, states);
  const scanned: Tensor[][] = Array.from({ length: outputs }, () => []);
  for (let step = 0; step < length; step++) {
    const slices = sequences.map((sequence, index) =>
      at(sequence, inputAxes[index]!, inputDirections[index] === 1 ? length - 1 - step : step),
    );
    const results = context.evaluate(body, [...carried, ...slices]);
    carried = results.slice(0, states);
    results.slice(states).forEach((value, index) => void scanned[index]!.push(value));
  }
  return [
    ...carried,
    ...scanned.map((parts, index) =>
      stack(outputDirections[index] === 1 ? parts.reverse() : parts, outputAxes[index]!, body, states + index),
    ),
  ];
}

/** Operator set 8: a batch axis leads everywhere, and an optional first input gives the length of each sequence. */
function batchedScan(context: ReferenceContext): readonly Tensor[] {
  const [lengths, ...rest] = context.inputs;
  if (lengths !== undefined)
    throw new LatheError('unsupported', 'sequence_lens, which operator set 9 removed', {
      hint: 'Convert the model to a newer operator set.',
    });
  const attributes = new Map(context.node.attributes);
  const directions = attributes.get('directions');
  if (directions !== undefined) attributes.set('scan_input_directions', directions);
  const values = rest.map((_, index) => required(context, index + 1));
  const batches = values[0]?.dims[0] ?? 0;
  const results = Array.from({ length: batches }, (_, batch) =>
    scan({
      ...context,
      node: { ...context.node, attributes },
      inputs: values.map((value) => at(value, 0, batch)),
    }),
  );
  return results[0] === undefined
    ? []
    : results[0].map((_, output) => {
        const parts = results.map((result) => result[output]!);
        return reshaped(join(parts), [batches, ...parts[0]!.dims]);
      });
}

/** The part of `x` at `index` along `axis`, without that axis. */
function at(x: Tensor, axis: number, index: number): Tensor {
  const along = normalizeAxis(axis, x.dims.length);
  const strides = stridesOf(x.dims);
  const without = <T>(list: readonly T[]): T[] => list.filter((_, other) => other !== along);
  const dims = without(x.dims);
  return take(x, strided(dims, without(strides), index * strides[along]!), dims);
}

/** Puts equal shapes together along a new axis. Of none, the shape comes from what the body declares. */
function stack(parts: readonly Tensor[], axis: number, body: Graph, output: number): Tensor {
  const first = parts[0];
  if (first === undefined) return emptyStack(axis, body, output);
  for (const { dims } of parts)
    if (formatDims(dims) !== formatDims(first.dims))
      throw new LatheError(
        'shape',
        `output "${body.outputs[output]!.name}" of the body changes its shape: ${formatDims(first.dims)}, then ${formatDims(dims)}`,
      );
  const rank = first.dims.length + 1;
  const along = normalizeAxis(axis, rank);
  const leading = reshaped(join(parts), [parts.length, ...first.dims]);
  if (along === 0) return leading;
  const permutation = Array.from({ length: rank - 1 }, (_, index) => index + 1);
  permutation.splice(along, 0, 0);
  return transposed(leading, permutation);
}

function emptyStack(axis: number, body: Graph, output: number): Tensor {
  const { name, type } = body.outputs[output]!;
  if (type?.kind !== 'tensor' || type.dtype === 'undefined' || type.shape === undefined)
    throw new LatheError('unsupported', `no iteration ran, and the body does not declare the shape of "${name}"`);
  const dims = type.shape.map((dim) => (typeof dim === 'number' ? dim : 0));
  dims.splice(normalizeAxis(axis, dims.length + 1), 0, 0);
  return take(zeroOf(type.dtype), new Int32Array(sizeOf(dims)), dims);
}
