import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { zeros } from '../../src/base/index.ts';
import { GraphBuilder, type Model, stored, writeModel } from '../../src/graph/index.ts';
import { modelFacts } from '../../src/zoo/index.ts';
import { jsonOf, lathe, temporaryFolder } from '../cli/lathe.ts';

const folder = temporaryFolder();

/** One node of each kind: known, of a function of the model, fused and expanded, and two that nobody knows. */
function mixedModel(): Model {
  const build = new GraphBuilder();
  const x = build.input('x', 'float32', ['batch', 3]);
  const weights = build.initializer('weights', zeros('float32', [3, 5]));
  build.initializer('quantized', zeros('int8', [7]));
  build.initializer('axes', zeros('int64', [11]));
  const [bias] = build.node('Constant', [], {
    attributes: { value: { kind: 'tensor', value: stored(zeros('float16', [5])) } },
  });
  build.output(build.op('MatMul', [x, weights]), { dtype: 'float32', shape: ['batch', 5] }, 'y');
  build.output(build.node('Own', [bias], { domain: 'mine' })[0]!);
  for (const opType of ['FastGelu', 'QMoE']) build.node(opType, [x], { domain: 'com.microsoft' });
  build.node('Unheard', [x]);
  const model = build.build({
    opsets: [
      { domain: '', version: 17 },
      { domain: 'mine', version: 1 },
      { domain: 'com.microsoft', version: 1 },
    ],
  });
  const own = { name: 'Own', domain: 'mine', inputs: ['a'], outputs: ['b'], attributes: [], valueInfo: [] };
  const nodes = new GraphBuilder();
  nodes.node('InOwn', ['a'], { outputs: ['b'] });
  const graph = { ...model.graph, inputs: [...model.graph.inputs, { name: 'weights' }] };
  return {
    ...model,
    graph,
    functions: [{ ...own, attributeDefaults: new Map(), opsets: [], nodes: nodes.nodes }],
  };
}

describe('the facts of a model', () => {
  it('are what its graph says', () => {
    expect(modelFacts(mixedModel())).toEqual({
      inputs: [{ name: 'x', type: 'float32[batch, 3]' }],
      outputs: [
        { name: 'y', type: 'float32[batch, 5]' },
        { name: 'own', type: 'unknown' },
      ],
      opsets: { 'ai.onnx': 17, mine: 1, 'com.microsoft': 1 },
      nodes: 7,
      parameters: 15 + 7 + 5,
      unsupported: ['InOwn', 'Unheard', 'com.microsoft.QMoE'],
    });
  });

  it('count what subgraphs hold', () => {
    const inner = new GraphBuilder();
    inner.initializer('inside', zeros('float32', [4]));
    inner.node('Unheard', []);
    const outer = new GraphBuilder();
    outer.node('If', [outer.input('condition', 'bool', [])], {
      attributes: { then_branch: { kind: 'graph', value: inner.build().graph } },
    });
    expect(modelFacts(outer.build())).toMatchObject({ parameters: 4, unsupported: ['Unheard'], nodes: 1 });
  });
});

describe('lathe zoo info', () => {
  it('says what is in a folder, for people and for programs', async () => {
    mkdirSync(join(folder, 'model', 'onnx'), { recursive: true });
    writeFileSync(join(folder, 'model', 'config.json'), '{}');
    const build = new GraphBuilder();
    const x = build.input('x', 'float32', ['batch', 3]);
    build.output(build.op('Relu', [build.op('Add', [x, build.initializer('b', zeros('float32', [3]))])]));
    await writeModel(build.build(), join(folder, 'model', 'onnx', 'model.onnx'));
    const ended = await lathe(folder, ['zoo', 'info', 'model', '--json']);
    expect(ended.code).toBe(0);
    expect(jsonOf(ended)).toMatchObject({
      source: 'model',
      files: [{ path: 'config.json', bytes: 2 }, { path: 'onnx/model.onnx' }],
      models: [{ path: 'onnx/model.onnx', inputs: [{ name: 'x' }], nodes: 2, parameters: 3, unsupported: [] }],
    });
    expect(ended.stderr).toMatch(/inputs +x float32\[batch, 3\]\n(.|\n)*parameters +3\n(.|\n)*operators +all known/);
  });

  it('says which file is no model', async () => {
    writeFileSync(join(folder, 'broken.onnx'), 'this is text');
    const ended = await lathe(folder, ['zoo', 'info', 'broken.onnx']);
    expect(ended.stderr).toMatch(/^error: .*broken\.onnx/m);
    expect(ended.code).toBe(1);
  });
});
