import { float, floatOf, floatsOf, intOf, stringOf } from '../../attributes.ts';
import type { Value } from '../../builder.ts';
import { type Expansion, type ExpansionContext, number } from './expansion.ts';

/** Activations, and operators with one of them fused behind. */
export const ACTIVATIONS = {
  BiasAdd: ({ build, input }) => [build.add(build.add(input(0), input(1)), input(2))],
  BiasGelu: (context) => [gelu(context, context.build.add(context.input(0), context.input(1)))],
  FastGelu: (context) => {
    const { build, has, input } = context;
    return [geluTanh(context, has(1) ? build.add(input(0), input(1)) : input(0))];
  },
  Gelu: (context) => [gelu(context, context.input(0))],
  QuickGelu: (context) => {
    const { build, input, node } = context;
    const slope = number(context, floatOf(node, 'alpha', 1.702));
    return [build.mul(input(0), build.op('Sigmoid', [build.mul(input(0), slope)]))];
  },
  FusedConv: (context) => {
    const { build, input, has, node } = context;
    const own = ['activation', 'activation_params'];
    const attributes = Object.fromEntries([...node.attributes].filter(([name]) => !own.includes(name)));
    const y = build.op('Conv', [input(0), input(1), has(2) ? input(2) : undefined], attributes);
    return [activated(context, has(3) ? build.add(y, input(3)) : y, floatsOf(node, 'activation_params') ?? [])];
  },
  FusedGemm: (context) => {
    const { build, input, has, node } = context;
    const attributes = Object.fromEntries([...node.attributes].filter(([name]) => !name.startsWith('activation')));
    const y = build.op('Gemm', [input(0), input(1), has(2) ? input(2) : undefined], attributes);
    const parameters = ['activation_alpha', 'activation_beta', 'activation_gamma'].filter((name) =>
      node.attributes.has(name),
    );
    return [
      activated(
        context,
        y,
        parameters.map((name) => floatOf(node, name, 0)),
      ),
    ];
  },
  FusedMatMul: fusedMatMul,
  TransposeMatMul: fusedMatMul,
} satisfies Record<string, Expansion>;

/** Transposed operands and a factor; TransposeMatMul is its older name. */
function fusedMatMul(context: ExpansionContext): readonly Value[] {
  const { build, node, shapeOf, input } = context;
  if (intOf(node, 'transBatchA', 0) !== 0 || intOf(node, 'transBatchB', 0) !== 0) {
    throw context.refuse('transposed batches');
  }
  const turned = (index: number, attribute: string): Value => {
    const rank = shapeOf(index).length;
    if (intOf(node, attribute, 0) === 0 || rank < 2) return input(index);
    const order = shapeOf(index).map((_, axis) => axis);
    return build.transpose(input(index), [...order.slice(0, -2), rank - 1, rank - 2]);
  };
  const product = build.matMul(turned(0, 'transA'), turned(1, 'transB'));
  const alpha = floatOf(node, 'alpha', 1);
  return [alpha === 1 ? product : build.mul(product, number(context, alpha))];
}

// x (1 + erf(x/√2)) / 2
function gelu(context: ExpansionContext, x: Value): Value {
  const { build } = context;
  const erf = build.op('Erf', [build.div(x, number(context, Math.SQRT2))]);
  return build.mul(build.mul(x, build.add(erf, number(context, 1))), number(context, 0.5));
}

// x (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2
function geluTanh(context: ExpansionContext, x: Value): Value {
  const { build } = context;
  const cube = build.mul(build.mul(x, x), x);
  const inner = build.add(x, build.mul(number(context, 0.044715), cube));
  const tanh = build.op('Tanh', [build.mul(number(context, Math.sqrt(2 / Math.PI)), inner)]);
  return build.mul(build.mul(number(context, 0.5), x), build.add(number(context, 1), tanh));
}

/** The parameters of the activations that are fused, in the order of `activation_params`. */
const PARAMETERS: Readonly<Record<string, readonly string[]>> = {
  Relu: [],
  Tanh: [],
  Sigmoid: [],
  Softplus: [],
  HardSwish: [],
  LeakyRelu: ['alpha'],
  Elu: ['alpha'],
  HardSigmoid: ['alpha', 'beta'],
};

function activated(context: ExpansionContext, y: Value, parameters: readonly number[]): Value {
  const { build, node } = context;
  const name = stringOf(node, 'activation', '');
  if (name === '') return y;
  if (name === 'Clip') {
    const [low, high] = parameters;
    const bound = (value: number | undefined): Value | undefined =>
      value === undefined ? undefined : number(context, value);
    return build.op('Clip', [y, bound(low), bound(high)]);
  }
  const names = PARAMETERS[name];
  if (names === undefined) throw context.refuse(`activation "${name}"`);
  const attributes = names.flatMap((attribute, index) =>
    parameters[index] === undefined ? [] : [[attribute, float(parameters[index])] as const],
  );
  return build.op(name, [y], Object.fromEntries(attributes));
}
