import { LatheError } from '../../base/errors.ts';
import { numbersOf, tensorFrom } from '../../base/tensor.ts';
import { intOf } from '../attributes.ts';
import { GraphBuilder } from '../builder.ts';
import { inferShapes, inferTypes } from '../infer.ts';
import type { Graph, Model, Node, Shape, ValueInfo } from '../ir.ts';
import { tensorOf } from '../stored.ts';
import type { Pass } from './pass.ts';

/**
 * Lets batches be of any size where an exporter fixed the first axis of every input at one number, mostly 1: the axis gets
 * the name `batch`, and each Reshape to a constant shape with that number in front takes the size of what it reads. Inputs
 * with a symbolic axis, and models with inputs of which some have no axis, stay as they are.
 *
 * Throws LatheError('unsupported') where the number is built into the graph otherwise, so that an output would not follow.
 */
export const freeBatch: Pass = (given) => {
  const inputs = given.graph.inputs.filter(({ name }) => !given.graph.initializers.has(name));
  const fixed = firstOf(inputs[0]);
  if (typeof fixed !== 'number' || !inputs.every((input) => firstOf(input) === fixed)) {
    return { model: given, changed: false };
  }
  const names = new Set(inputs.map(({ name }) => name));
  const open = (info: ValueInfo): ValueInfo => (names.has(info.name) ? withFirst(info, 'batch') : info);
  const undeclared: Graph = { ...given.graph, outputs: given.graph.outputs.map(withoutShape), valueInfo: [] };
  const following = withFollowingReshapes({ ...given, graph: undeclared }, fixed);
  const opened: Graph = { ...following, inputs: following.inputs.map(open) };
  let model: Model;
  try {
    model = inferShapes({ ...given, graph: opened }).model;
  } catch (cause) {
    if (cause instanceof LatheError && cause.code === 'shape') throw refusal(fixed, cause.message, cause);
    throw cause;
  }
  const stuck = model.graph.outputs.find((output) => firstOf(output) === fixed);
  if (stuck !== undefined) throw refusal(fixed, `output "${stuck.name}" does not follow`);
  return { model, changed: true };
};

/** With the sizes of batches taken from what is read, where both are the number: the same model while it stays that. */
function withFollowingReshapes(model: Model, fixed: number): Graph {
  const { graph } = model;
  const types = inferTypes(model);
  const build = new GraphBuilder({ extending: graph });
  const nodes = graph.nodes.map((node) => {
    const shape = fixedShape(node, graph, fixed);
    const type = types.get(node.inputs[0] ?? '')?.type;
    if (shape === undefined || type?.kind !== 'tensor' || type.shape?.[0] !== fixed) return node;
    // 0 stands for the size of the axis that is read.
    const following = build.constant(tensorFrom('int64', [0, ...shape.slice(1)]), `${node.inputs[1]!}_batch`);
    return { ...node, inputs: [node.inputs[0]!, following] };
  });
  return { ...graph, nodes, initializers: new Map([...graph.initializers, ...build.initializers]) };
}

/** The constant shape of a Reshape that has the number in front. */
function fixedShape(node: Node, graph: Graph, fixed: number): readonly number[] | undefined {
  if (node.opType !== 'Reshape' || node.domain !== '' || intOf(node, 'allowzero', 0) !== 0) return undefined;
  const value = graph.initializers.get(node.inputs[1] ?? '');
  if (value?.dtype !== 'int64' || value.content.kind !== 'bytes') return undefined;
  const shape = numbersOf(tensorOf(value));
  return shape[0] === fixed && shape.length > 1 ? shape : undefined;
}

function firstOf(info: ValueInfo | undefined): Shape[number] | undefined {
  return info?.type?.kind === 'tensor' ? info.type.shape?.[0] : undefined;
}

function withFirst(info: ValueInfo, first: string): ValueInfo {
  if (info.type?.kind !== 'tensor' || info.type.shape === undefined) return info;
  return { ...info, type: { ...info.type, shape: [first, ...info.type.shape.slice(1)] } };
}

function withoutShape(info: ValueInfo): ValueInfo {
  if (info.type?.kind !== 'tensor') return info;
  const { shape: _, ...type } = info.type;
  return { ...info, type };
}

function refusal(fixed: number, why: string, cause?: unknown): LatheError {
  return new LatheError('unsupported', `the graph is for batches of ${fixed} alone: ${why}`, {
    hint: 'Export the model with a dynamic first axis (dynamic_axes or dynamic_shapes in PyTorch).',
    ...(cause !== undefined && { cause }),
  });
}
