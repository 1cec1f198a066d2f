import type { Value } from '../../graph/index.ts';
import type { Build } from '../build.ts';

type ActivationRule = (build: Build, x: Value) => Value;

/**
 * x · Φ(x), in the form that ONNX Runtime fuses into one kernel and that gradient() knows as Gelu. See
 * docs/decisions/0003-gelu.md.
 */
const gelu: ActivationRule = ({ graph }, x) => {
  const cumulative = graph.add(
    graph.op('Erf', [graph.div(x, graph.scalar(Math.SQRT2, 'float32'))]),
    graph.scalar(1, 'float32'),
  );
  return graph.mul(graph.mul(x, cumulative), graph.scalar(0.5, 'float32'));
};

/** x/2 · (1 + tanh(√(2/π) · (x + 0.044715 x³))) (Hendrycks and Gimpel, 2016). */
const geluTanh: ActivationRule = ({ graph }, x) => {
  const cube = graph.mul(graph.mul(x, x), x);
  const inner = graph.mul(
    graph.add(x, graph.mul(cube, graph.scalar(0.044715, 'float32'))),
    graph.scalar(Math.sqrt(2 / Math.PI), 'float32'),
  );
  const tanh = graph.add(graph.op('Tanh', [inner]), graph.scalar(1, 'float32'));
  return graph.mul(graph.mul(x, tanh), graph.scalar(0.5, 'float32'));
};

const silu: ActivationRule = ({ graph }, x) => graph.mul(x, graph.op('Sigmoid', [x]));

/** Activations by their names in Hugging Face configurations. */
export const ACTIVATIONS = {
  gelu,
  gelu_new: geluTanh,
  gelu_pytorch_tanh: geluTanh,
  relu: ({ graph }, x) => graph.op('Relu', [x]),
  silu,
  swish: silu,
  tanh: ({ graph }, x) => graph.op('Tanh', [x]),
} as const satisfies Readonly<Record<string, ActivationRule>>;

export type Activation = keyof typeof ACTIVATIONS;

/** Whether a configuration's name of an activation is one of {@link ACTIVATIONS}. */
export function isActivation(name: string): name is Activation {
  return Object.hasOwn(ACTIVATIONS, name);
}

/** An activation, element by element. */
export function activation(build: Build, x: Value, name: Activation): Value {
  return ACTIVATIONS[name](build, x);
}
