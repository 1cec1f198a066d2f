import { z } from 'zod';
import { gradient } from '../../autodiff/index.ts';
import {
  check,
  convertOperatorSet,
  type Model,
  opsetOf,
  printModel,
  readModel,
  writeModel,
} from '../../graph/index.ts';
import { defineCommand } from '../command.ts';
import type { Terminal } from '../terminal.ts';

const parameters = z.object({
  model: z.string().meta({ description: 'an ONNX file' }),
  of: z.string().meta({ description: 'the scalar to differentiate', placeholder: 'VALUE' }),
  withRespectTo: z
    .union([z.string(), z.array(z.string())])
    .transform((value) =>
      (Array.isArray(value) ? value : value.split(',')).map((name) => name.trim()).filter((name) => name !== ''),
    )
    .meta({
      description: 'values to differentiate by, with commas: initializers, inputs, or values in between',
      placeholder: 'a,b',
    }),
  out: z.string().meta({ description: 'ONNX file to write', placeholder: 'FILE' }),
  print: z.boolean().default(false).meta({ description: 'print the graph as text, too' }),
});

export default defineCommand({
  name: 'gradient',
  summary: 'write the gradient graph of an ONNX model',
  description:
    'Adds the gradient of a scalar to an ONNX model: plain ONNX operators, outputs named VALUE_grad, for any ONNX Runtime.',
  parameters,
  positional: ['model'],
  examples: [
    ['lathe gradient model.onnx --of loss --with-respect-to w,b --out grads.onnx', 'outputs loss, w_grad and b_grad'],
  ],
  files: ({ model, out }) => ({ reads: [model], writes: [out] }),
  async run({ model: path, of, withRespectTo, out, print }, terminal) {
    const given = await readModel(path);
    check(given);
    const model = supported(given, path, terminal);
    const result = gradient(model, { of, withRespectTo });
    check(result);
    await writeModel(result, out);
    if (print) terminal.print(printModel(result));
    const outputs = result.graph.outputs.map(({ name }) => name);
    terminal.say(
      `${out}: ${result.graph.nodes.length} nodes (${model.graph.nodes.length} before), outputs ${outputs.join(', ')}`,
    );
    return { out, nodes: result.graph.nodes.length, outputs };
  },
});

/** The oldest operator set that gradients are built in. */
const OLDEST = 13;

function supported(model: Model, path: string, terminal: Terminal): Model {
  const operatorSet = opsetOf(model) ?? OLDEST;
  if (operatorSet >= OLDEST) return model;
  const raised = convertOperatorSet(model).model;
  terminal.say(`${path}: raised from operator set ${operatorSet} to ${opsetOf(raised)}`);
  return raised;
}
