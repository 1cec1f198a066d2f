import {
  float,
  floatOf,
  GraphBuilder,
  type InferredValue,
  intOf,
  type Model,
  type Node,
  nodesGiving,
  opsetOf,
  replaceNodes,
  type Value,
} from '../graph/index.ts';
import { tensorTypeOf } from './known.ts';

/**
 * The model with the statistics of the batch as outputs of each BatchNormalization in training mode: with a momentum of 0,
 * the running statistics become those of the batch. What they were to become is computed beside it. The backward pass
 * reads these outputs, where it would have to go through the input twice more to find them again.
 */
export function withStatisticsOfBatches(model: Model, types: ReadonlyMap<string, InferredValue>): Model {
  const { graph } = model;
  const opset = opsetOf(model) ?? 0;
  const trained = graph.nodes.filter((node) => opset >= 14 && movesStatistics(node, types));
  if (trained.length === 0) return model;
  const build = new GraphBuilder({ opset, extending: graph });
  const replaced = new Map(trained.map((node) => [node, givingStatistics(build, node, types)]));
  return replaceNodes(model, build, replaced);
}

/** Whether the statistics of the batch are outputs 1 and 2 of a BatchNormalization in training mode. */
export function givesStatistics(node: Node): boolean {
  return momentumOf(node) === 0;
}

function movesStatistics(node: Node, types: ReadonlyMap<string, InferredValue>): boolean {
  if (node.opType !== 'BatchNormalization' || node.domain !== '' || intOf(node, 'training_mode', 0) === 0) return false;
  const [x, ...statistics] = [0, 3, 4].map((index) => dataTypeOf(node.inputs[index]!, types));
  return momentumOf(node) !== 0 && x !== undefined && statistics.every((dtype) => dtype === x);
}

function givingStatistics(build: GraphBuilder, node: Node, types: ReadonlyMap<string, InferredValue>): readonly Node[] {
  const dtype = dataTypeOf(node.inputs[0]!, types)!;
  const momentum = momentumOf(node);
  const running = [node.inputs[3]!, node.inputs[4]!];
  const ofBatch = running.map((name) => build.unique(`${name}_of_batch`));
  const next = running.map((_, index) => node.outputs[index + 1] ?? '');
  const scaled = (value: Value, factor: number): Value => build.mul(value, build.scalar(Math.fround(factor), dtype));
  const moves = nodesGiving(build, next, () =>
    next.map((name, index) =>
      name === '' ? undefined : build.add(scaled(running[index]!, momentum), scaled(ofBatch[index]!, 1 - momentum)),
    ),
  );
  const attributes = new Map([...node.attributes, ['momentum', float(0)] as const]);
  return [{ ...node, attributes, outputs: [node.outputs[0]!, ...ofBatch] }, ...moves];
}

function momentumOf(node: Node): number {
  return floatOf(node, 'momentum', Math.fround(0.9));
}

function dataTypeOf(value: Value, types: ReadonlyMap<string, InferredValue>): 'float32' | 'float64' | undefined {
  const dtype = tensorTypeOf(types.get(value))?.dtype;
  return dtype === 'float32' || dtype === 'float64' ? dtype : undefined;
}
