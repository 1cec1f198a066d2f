import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { numbersOf, tensorFrom } from '../../src/base/index.ts';
import { check, evaluate, GraphBuilder, int, readModel, writeModel } from '../../src/graph/index.ts';
import { jsonOf, lathe, listed, temporaryFolder } from './lathe.ts';

const folder = temporaryFolder();

/** loss = sum (x · weight)², over the one example x. */
beforeAll(async () => {
  const build = new GraphBuilder();
  const x = build.input('x', 'float32', [1, 2]);
  const weight = build.initializer('weight', tensorFrom('float32', [1, 2], [2, 1]));
  const product = build.op('MatMul', [x, weight], {}, 'product');
  const loss = build.op('ReduceSum', [build.op('Mul', [product, product])], { keepdims: int(0) }, 'loss');
  build.output(loss, { dtype: 'float32', shape: [] });
  await writeModel(build.build(), join(folder, 'model.onnx'));
});

const gradient = (of: string, by: string, ...more: string[]) =>
  lathe(folder, ['gradient', 'model.onnx', '--of', of, '--with-respect-to', by, '--out', 'grads.onnx', ...more]);

describe('gradient', () => {
  it('refuses a value that is not there, with the names that are near, and writes nothing', async () => {
    for (const [of, by, wrong, near] of [
      ['los', 'weight', 'los', 'loss'],
      ['loss', 'wieght', 'wieght', 'weight'],
    ] as const) {
      const ended = await gradient(of, by, '--json');
      expect(ended.code).toBe(1);
      expect(jsonOf(ended).error).toMatchObject({ code: 'not-found', message: expect.stringContaining(`"${wrong}"`) });
      expect(ended.stderr).toContain(`"${near}"`);
    }
    expect(listed(folder)).toEqual(['model.onnx']);
  });

  it('writes a model whose outputs are the value and its gradients', async () => {
    const ended = await gradient('loss', 'weight,x', '--json');
    expect(ended.code, ended.stderr).toBe(0);
    const model = await readModel(join(folder, 'grads.onnx'));
    check(model);
    const { outputs, nodes } = jsonOf<{ outputs: string[]; nodes: number }>(ended);
    expect([outputs, nodes]).toEqual([model.graph.outputs.map(({ name }) => name), model.graph.nodes.length]);
    expect(outputs).toEqual(expect.arrayContaining(['loss', 'weight_grad', 'x_grad']));
    // x · weight = 11, so that d loss / d weight = 22 x and d loss / d x = 22 weight.
    const results = evaluate(model, { x: tensorFrom('float32', [3, 4], [1, 2]) }, ['weight_grad', 'x_grad']);
    expect([...results.weight_grad!.data]).toEqual([66, 88]);
    expect([...results.x_grad!.data]).toEqual([22, 44]);
  });

  it('raises a model of an old operator set, and says so', async () => {
    const build = new GraphBuilder();
    const x = build.input('x', 'float32', [2, 3, 4]);
    const y = build.op('Softmax', [x], { axis: int(1) });
    const loss = build.op('ReduceSum', [build.op('Mul', [y, y])], { keepdims: int(0) }, 'loss');
    build.output(loss, { dtype: 'float32', shape: [] });
    await writeModel(build.build({ opsets: [{ domain: '', version: 9 }] }), join(folder, 'old.onnx'));
    const words = ['gradient', 'old.onnx', '--of', 'loss', '--with-respect-to', 'x', '--out', 'old-grads.onnx'];
    const ended = await lathe(folder, words);
    expect(ended.code, ended.stderr).toBe(0);
    expect(ended.stderr).toContain('old.onnx: raised from operator set 9 to 17');
    const model = await readModel(join(folder, 'old-grads.onnx'));
    // All of the last two axes were one: a row of twelve equal numbers has twelve equal shares.
    const results = evaluate(model, { x: tensorFrom('float32', new Array(24).fill(1), [2, 3, 4]) });
    expect(numbersOf(results.loss!)[0]).toBeCloseTo(2 / 12, 6);
    expect(results.x_grad!.dims).toEqual([2, 3, 4]);
  });

  it('prints the graph where it is asked to', async () => {
    const ended = await gradient('loss', 'weight', '--print', '--quiet');
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    expect(ended.stdout).toContain('weight_grad');
  });
});
