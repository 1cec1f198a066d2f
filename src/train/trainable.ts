import { LatheError, sizeOf } from '../base/index.ts';
import { describeNode, type Graph, intOf, intsOf, type Model, type Node, readsOf } from '../graph/index.ts';
import { matching } from './settings.ts';

/** What training does with a float32 initializer, and why. */
export interface Trainability {
  readonly name: string;
  readonly dims: readonly number[];
  readonly trained: boolean;
  /** Where it is a parameter (`weight of Conv "c1"`), or why it is none (`running statistics of …`). */
  readonly reason: string;
}

/**
 * The initializers that a run trains: float32 parameters by their place in the graph that are not frozen. Throws
 * LatheError('usage') when none is left, or a pattern of `freeze` matches none.
 */
export function trainableParameters(model: Model, freeze: readonly string[] = []): string[] {
  const names = trainability(model)
    .filter(({ trained }) => trained)
    .map(({ name }) => name);
  if (names.length === 0) {
    throw new LatheError('usage', 'there is nothing to train: no float32 initializer is the weight of an operator', {
      hint: 'trainability() says why for each. Weights in Constant nodes have to be lifted first: liftConstants().',
    });
  }
  const frozen = matching(names, freeze);
  const trainable = names.filter((name) => !frozen.has(name));
  if (trainable.length === 0) throw new LatheError('usage', 'nothing is left to train: every parameter is frozen');
  return trainable;
}

/**
 * For each float32 initializer, in the order of the graph, whether it is a parameter: the weight or bias of a linear
 * layer, convolution or recurrent layer, a table of embeddings, scale and bias of a normalization, a slope of PRelu, or
 * what is added to or multiplies the output of one of these, of more than one element (or of one, over one channel).
 * Between initializer and operator there may be changes of layout, and QuantizeLinear with DequantizeLinear, whose scale is
 * a parameter where it is the exponential of an initializer. Scalars and what feeds other arithmetic are none.
 */
export function trainability(model: Model): readonly Trainability[] {
  const { graph } = model;
  const walk = start(graph);
  for (const node of graph.nodes) visit(walk, node);
  return Array.from(graph.initializers)
    .filter(([, { dtype }]) => dtype === 'float32')
    .map(([name, { dims }]) => {
      const trained = walk.found.get(name);
      const reason = trained ?? walk.refused.get(name) ?? 'nothing reads it';
      return { name, dims, trained: trained !== undefined, reason };
    });
}

/** Inputs of operators that are parameters, where a float32 initializer stands there. */
const WEIGHTS: Readonly<Record<string, Readonly<Record<number, string>>>> = {
  MatMul: { 0: 'weight', 1: 'weight' },
  Gemm: { 0: 'weight', 1: 'weight', 2: 'bias' },
  Conv: { 1: 'weight', 2: 'bias' },
  ConvTranspose: { 1: 'weight', 2: 'bias' },
  LayerNormalization: { 1: 'scale', 2: 'bias' },
  BatchNormalization: { 1: 'scale', 2: 'bias' },
  InstanceNormalization: { 1: 'scale', 2: 'bias' },
  GroupNormalization: { 1: 'scale', 2: 'bias' },
  PRelu: { 1: 'slope' },
  RNN: { 1: 'weight', 2: 'recurrent weight', 3: 'bias' },
  GRU: { 1: 'weight', 2: 'recurrent weight', 3: 'bias' },
  LSTM: { 1: 'weight', 2: 'recurrent weight', 3: 'bias', 7: 'peephole' },
};

/** Operators that give the elements of their first input, in another layout or type. */
const LAYOUT = new Set(['Identity', 'Transpose', 'Reshape', 'Cast', 'Unsqueeze', 'Squeeze', 'Flatten']);

/** What a value is, as far as it is known to be one of these. */
type Role =
  /** An initializer, possibly in another layout; `dims` where they are known. */
  | { readonly kind: 'constant'; readonly name: string; readonly dims?: readonly number[] }
  /** Rows of a table, which is a parameter once they are added to others where `slicedFrom` names it. */
  | { readonly kind: 'rows'; readonly columns?: number; readonly slicedFrom?: string }
  /** The output of an operator with weights, of so many channels: what is added to it is a bias. */
  | { readonly kind: 'computed'; readonly channels?: number }
  /** The difference from a mean, as the first half of a normalization that is written out. */
  | { readonly kind: 'centred' | 'root' }
  /** The exponential of an initializer, which as the scale of QuantizeLinear is a parameter: a step size that is learned. */
  | { readonly kind: 'exponential'; readonly name: string }
  /** Whole numbers (positions, shapes, masks), or floats made of them. */
  | { readonly kind: 'counted' };

/** By initializer, the first place as a parameter and the first other use, and the roles of the values so far. */
interface Walk {
  readonly found: Map<string, string>;
  readonly refused: Map<string, string>;
  readonly roles: Map<string, Role>;
}

function start(graph: Graph): Walk {
  const roles = new Map<string, Role>();
  for (const { name, type } of graph.inputs) {
    if (type?.kind === 'tensor' && !/float|double/.test(type.dtype)) roles.set(name, { kind: 'counted' });
  }
  for (const [name, { dtype, dims }] of graph.initializers) {
    if (dtype === 'float32') roles.set(name, { kind: 'constant', name, dims });
    else if (!/float|double/.test(dtype)) roles.set(name, { kind: 'counted' });
  }
  return { found: new Map(), refused: new Map(), roles };
}

function visit(walk: Walk, node: Node): void {
  const role = node.domain === '' ? roleOf(walk, node) : undefined;
  if (role !== undefined && node.outputs[0]) walk.roles.set(node.outputs[0], role);
  if (role !== undefined && node.opType === 'Split') for (const name of node.outputs) walk.roles.set(name, role);
  if (role?.kind === 'constant') return;
  for (const name of readsOf(node)) {
    const read = walk.roles.get(name);
    if (read?.kind === 'constant' && !walk.found.has(read.name)) refuse(walk, read.name, node, name);
  }
}

function roleOf(walk: Walk, node: Node): Role | undefined {
  const { opType, inputs } = node;
  const first = walk.roles.get(inputs[0] ?? '');
  if (LAYOUT.has(opType)) return first && relaid(first, node);
  if (opType in WEIGHTS) return weighted(walk, node);
  switch (opType) {
    case 'Gather':
      if (first?.kind === 'constant' && (first.dims?.length ?? 0) >= 2 && intOf(node, 'axis', 0) === 0) {
        accept(walk, first.name, node, 'table');
        return { kind: 'rows', ...(first.dims && { columns: first.dims.at(-1)! }) };
      }
      return counted(first);
    case 'Exp':
      return first?.kind === 'constant' ? { kind: 'exponential', name: first.name } : undefined;
    case 'QuantizeLinear':
    case 'DequantizeLinear':
      return throughSteps(walk, node, first);
    case 'Min':
    case 'Max':
      // Cut off at limits.
      return first?.kind === 'constant' ? first : undefined;
    case 'Add':
    case 'Mul':
      return shifted(walk, node);
    case 'Sub':
      return walk.roles.get(inputs[1] ?? '')?.kind === 'constant' ? undefined : { kind: 'centred' };
    case 'Sqrt':
      return { kind: 'root' };
    case 'Div':
      return first?.kind === 'centred' && walk.roles.get(inputs[1]!)?.kind === 'root'
        ? { kind: 'computed' }
        : undefined;
    case 'Shape':
    case 'Size':
    case 'NonZero':
    case 'ArgMax':
      return { kind: 'counted' };
    case 'Split':
      return first?.kind === 'constant' ? relaid(first, node) : undefined;
    case 'Slice':
      // The first rows, by the length of what comes in: positions. Masks are cut so too, but not added to rows.
      return first?.kind === 'constant' && first.dims?.length === 2
        ? { kind: 'rows', columns: first.dims[1]!, slicedFrom: first.name }
        : counted(first);
    case 'Expand':
    case 'Range':
      return counted(first);
    default:
      return undefined;
  }
}

function weighted(walk: Walk, node: Node): Role | undefined {
  const positions = WEIGHTS[node.opType]!;
  const roles = node.inputs.map((name) => walk.roles.get(name));
  const symmetric = node.opType === 'MatMul' || node.opType === 'Gemm';
  // A product with positions or shapes (the frequencies of rotary embeddings) is arithmetic; so is one of constants.
  if (symmetric && roles.slice(0, 2).some((role) => role?.kind === 'counted')) return undefined;
  if (symmetric && roles.slice(0, 2).every((role) => role?.kind === 'constant')) return undefined;
  let weighted = symmetric && roles.slice(0, 2).some((role) => role?.kind === 'rows');
  let channels: number | undefined;
  roles.forEach((role, index) => {
    const place = positions[index];
    if (place === undefined) return;
    if (role?.kind === 'constant' && role.dims?.length !== 0) {
      accept(walk, role.name, node, place);
      if (place !== 'bias') {
        weighted = true;
        channels = channelsOf(node, index, role.dims);
      }
    } else if (role?.kind === 'rows' && index < 2) channels = role.columns;
  });
  return weighted ? { kind: 'computed', ...(channels !== undefined && { channels }) } : undefined;
}

/** Rounded to steps and back, floats are what they were. Integers that become floats are no parameters. */
function throughSteps(walk: Walk, node: Node, first: Role | undefined): Role | undefined {
  const scale = walk.roles.get(node.inputs[1]!);
  if (scale?.kind === 'exponential') accept(walk, scale.name, node, 'logarithm of the step');
  return counted(first) === undefined ? first : undefined;
}

/** Add and Mul of a computed value and a constant: a bias or a scale, unless it is one number for many channels. */
function shifted(walk: Walk, node: Node): Role | undefined {
  const roles = node.inputs.map((name) => walk.roles.get(name));
  if (node.opType === 'Add' && roles.every((role) => role?.kind === 'rows' || role?.kind === 'computed')) {
    for (const role of roles)
      if (role?.kind === 'rows' && role.slicedFrom) accept(walk, role.slicedFrom, node, 'table');
    return roles[0];
  }
  const computed = roles.find((role) => role?.kind === 'computed');
  const constant = roles.find((role) => role?.kind === 'constant');
  if (computed === undefined || constant === undefined) return undefined;
  const { dims } = constant;
  if (dims === undefined || (sizeOf(dims) === 1 && (dims.length === 0 || computed.channels !== 1))) return undefined;
  accept(walk, constant.name, node, node.opType === 'Add' ? 'bias' : 'scale');
  return computed;
}

function accept(walk: Walk, name: string, node: Node, place: string): void {
  if (!walk.found.has(name)) walk.found.set(name, `${place} of ${describeNode(node)}`);
}

function refuse(walk: Walk, name: string, node: Node, value: string): void {
  if (walk.refused.has(name)) return;
  const index = node.inputs.indexOf(value);
  const place = `input ${index} of ${describeNode(node)}`;
  const statistics = node.opType === 'BatchNormalization' && index >= 3;
  const inside = index < 0 ? `read inside ${describeNode(node)}` : `${place} is no parameter`;
  walk.refused.set(name, statistics ? `running statistics of ${describeNode(node)}` : inside);
}

const counted = (role: Role | undefined): Role | undefined => (role?.kind === 'counted' ? role : undefined);

function relaid(role: Role, node: Node): Role {
  if (role.kind !== 'constant') return role;
  const { name, dims } = role;
  if (node.opType === 'Identity' || node.opType === 'Cast') return role;
  if (node.opType === 'Transpose' && dims !== undefined) {
    const order = intsOf(node, 'perm') ?? dims.map((_, axis) => dims.length - 1 - axis);
    return { kind: 'constant', name, dims: order.map((axis) => dims[axis]!) };
  }
  // A size of one element stays one, and a larger one larger: that is all that is asked of a bias in a new layout.
  return { kind: 'constant', name, ...(dims && dims.length > 0 && { dims: [sizeOf(dims)] }) };
}

function channelsOf(node: Node, index: number, dims: readonly number[] | undefined): number | undefined {
  if (dims === undefined) return undefined;
  switch (node.opType) {
    case 'Conv':
      return dims[0];
    case 'ConvTranspose':
      return dims[1]! * intOf(node, 'group', 1);
    case 'MatMul':
      return index === 1 ? dims.at(-1) : undefined;
    case 'Gemm':
      return index === 1 ? dims[intOf(node, 'transB', 0) === 0 ? 1 : 0] : undefined;
    default:
      return node.opType.endsWith('Normalization') ? dims[0] : undefined;
  }
}
