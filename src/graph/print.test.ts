import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { tensorFrom } from '../base/tensor.ts';
import { float, graphAttribute, ints, string } from './attributes.ts';
import { GraphBuilder } from './builder.ts';
import { decodeModel } from './encoding.ts';
import { printModel } from './print.ts';

const FIXTURES = join(import.meta.dirname, 'fixtures');

it('prints a model to be read', () => {
  const branch = (name: string, value: number): ReturnType<GraphBuilder['build']>['graph'] => {
    const inner = new GraphBuilder();
    inner.output(inner.op('Mul', ['h', inner.scalar(value, 'float32')], undefined, name), {
      dtype: 'float32',
      shape: ['N', 2],
    });
    return inner.build({ name: `${name} branch` }).graph;
  };
  const builder = new GraphBuilder();
  const x = builder.input('x', 'float32', ['N', 3]);
  const flag = builder.input('flag', 'bool', []);
  const w = builder.initializer('layer.0.weight', tensorFrom('float32', [0.1, -2, 3e-9, 4, 5, 6], [3, 2]));
  builder.initializer(
    'ids',
    tensorFrom(
      'int64',
      Array.from({ length: 100 }, (_, index) => index),
    ),
  );
  builder.node('Gemm', [x, w, undefined], { outputs: ['h'], name: 'layer 0', attributes: { alpha: float(0.1) } });
  builder.node('Clip', ['h', undefined, builder.scalar(6, 'float32')], { outputs: ['clipped'] });
  const [y] = builder.node('If', [flag], {
    outputs: ['y'],
    attributes: { then_branch: graphAttribute(branch('t', 1)), else_branch: graphAttribute(branch('e', 0.5)) },
  });
  builder.node('Custom', [y], {
    domain: 'com.example',
    outputs: ['', 'z'],
    attributes: { axes: ints(Array.from({ length: 12 }, (_, index) => index)), mode: string('a "b"') },
  });
  builder.output('z', { dtype: 'float32' });
  expect(printModel(builder.build({ name: 'net' }))).toBe(`<
   ir_version: 8,
   opset_import: ["" : 17],
   producer_name: "lathe"
>
net (float32[N, 3] x, bool[] flag) => (float32[…] z)
   <float32[3, 2] layer.0.weight = {0.1, -2, 3e-9, 4, 5, 6},
    int64[100] ids = {0, 1, 2, 3, 4, 5, 6, 7, …},
    float32[] constant = {6}>
{
   ["layer 0"] h = Gemm <alpha = 0.1> (x, layer.0.weight)
   clipped = Clip (h, , constant)
   y = If (flag) <
      then_branch = "t branch" () => (float32[N, 2] t)
         <float32[] constant = {1}>
      {
         t = Mul (h, constant)
      }
      else_branch = "e branch" () => (float32[N, 2] e)
         <float32[] constant = {0.5}>
      {
         e = Mul (h, constant)
      }
   >
   , z = com.example.Custom <axes = [0, 1, 2, 3, 4, 5, 6, 7, …], mode = "a \\"b\\""> (y)
}
`);
});

it('prints whatever onnx.proto has', async () => {
  const model = decodeModel(readFileSync(join(FIXTURES, 'everything.onnx')));
  await expect(printModel(model)).toMatchFileSnapshot('fixtures/everything.txt');
});
