import { describe, expect, it } from 'vitest';
import { gradient } from '../src/autodiff/index.ts';
import { numbersOf, random, sizeOf, type Tensor, tensorFrom } from '../src/base/index.ts';
import {
  check,
  GraphBuilder,
  inferTypes,
  int,
  isKnownOperator,
  type Model,
  opsetOf,
  type Shape,
  tensorInfo,
} from '../src/graph/index.ts';
import { openSession } from '../src/runtime/index.ts';
import { prepareModel } from '../src/train/index.ts';
import { networks } from './networks.ts';

/** The network with its weights as inputs, and a loss that ends in all its outputs. */
function trainable(given: Model): { readonly model: Model; readonly weights: Readonly<Record<string, Shape>> } {
  const prepared = prepareModel(given);
  const types = inferTypes(prepared);
  const weights: Record<string, Shape> = {};
  const nodes = prepared.graph.nodes.filter(({ opType, outputs: [name] }) => {
    if (opType !== 'ConstantOfShape') return true;
    const type = types.get(name!)!.type;
    if (type.kind !== 'tensor' || type.dtype !== 'float32' || type.shape === undefined) return true;
    weights[name!] = type.shape;
    return false;
  });
  const inputs = [
    ...prepared.graph.inputs,
    ...Object.entries(weights).map(([name, shape]) => tensorInfo(name, { dtype: 'float32', shape })),
  ];
  const build = new GraphBuilder({ extending: { ...prepared.graph, nodes } });
  const output = prepared.graph.outputs[0]!.name;
  const loss = build.op('ReduceSumSquare', [output], { keepdims: int(0) });
  const model: Model = {
    ...prepared,
    graph: {
      ...prepared.graph,
      nodes: [...nodes, ...build.nodes],
      inputs,
      outputs: [tensorInfo(loss, { dtype: 'float32', shape: [] })],
    },
  };
  return { model, weights };
}

const NETWORKS = Object.entries(networks());

it('there are nine networks', () => {
  expect(NETWORKS).toHaveLength(9);
});

describe.each(NETWORKS)('%s of operator set 9', (_, given) => {
  expect(opsetOf(given)).toBe(9);
  const { model, weights } = trainable(given);
  const names = Object.keys(weights);

  it('has a gradient in every weight, of its shape', () => {
    expect(names.length).toBeGreaterThan(1);
    const loss = model.graph.outputs[0]!.name;
    const differentiated = gradient(model, { of: loss, withRespectTo: names });
    check(differentiated);
    expect(differentiated.graph.nodes.filter((node) => !isKnownOperator(node))).toEqual([]);
    const types = inferTypes(differentiated);
    for (const name of names) {
      expect(types.get(`${name}_grad`)?.type, name).toEqual({ kind: 'tensor', dtype: 'float32', shape: weights[name] });
    }
  });
});

it('squeezenet runs with its gradients in ONNX Runtime', async () => {
  const { model, weights } = trainable(networks().squeezenet!);
  const names = Object.keys(weights);
  const source = random(1);
  const normal = (shape: Shape, scale: number): Tensor =>
    tensorFrom(
      'float32',
      Array.from({ length: sizeOf(shape as number[]) }, () => scale * source.normal()),
      shape as number[],
    );
  const feeds = Object.fromEntries(
    model.graph.inputs.map(({ name, type }) => {
      const shape = (type?.kind === 'tensor' && type.shape) || [];
      const inputsOfOne = sizeOf(shape.slice(1) as number[]);
      return [name, normal(shape, name in weights ? Math.sqrt(2 / inputsOfOne) : 1)];
    }),
  );
  const loss = model.graph.outputs[0]!.name;
  const session = await openSession(gradient(model, { of: loss, withRespectTo: names }), { threads: 1 });
  const results = await session.run(feeds);
  await session.close();
  for (const name of names) {
    const norm = numbersOf(results[`${name}_grad`]!).reduce((sum, value) => sum + value * value, 0);
    expect(Number.isFinite(norm) && norm > 0, `${name}: ${norm}`).toBe(true);
  }
});
