import { gradient } from '../autodiff/index.ts';
import { LatheError } from '../base/errors.ts';
import {
  type Graph,
  GraphBuilder,
  type Model,
  type Node,
  opsetOf,
  type StoredTensor,
  tensorInfo,
  type Value,
  type ValueInfo,
} from '../graph/index.ts';
import { bufferUpdates } from '../nn/index.ts';
import type { Optimizer } from './optimizers/optimizer.ts';

export interface TrainingGraphOptions {
  readonly optimizer: Optimizer;
  /** Names of the initializers to train; the others stay constants, which ONNX Runtime folds and prepacks. */
  readonly trainable: readonly string[];
  /** The largest global norm of the gradient (Pascanu et al., 2013); undefined leaves it as it is. */
  readonly clipNorm?: number;
  /** Outputs of the forward model to give out beside the loss: raw values of metrics. */
  readonly metricOutputs?: readonly string[];
}

/** A trainable tensor: its place as input and output of a step, with its optimizer state. */
export interface ParameterSlot {
  readonly name: string;
  readonly dims: readonly number[];
  /** The value that holds its gradient. */
  readonly gradient: string;
  /** The output that holds the updated value. */
  readonly next: string;
  readonly state: readonly { readonly name: string; readonly input: string; readonly next: string }[];
}

/** State that a step changes without a gradient (running statistics): its place as input and output of a step. */
export interface BufferSlot {
  readonly name: string;
  readonly dims: readonly number[];
  /** The output that holds the updated value. */
  readonly next: string;
}

export interface TrainingGraph {
  /**
   * Inputs: the batch, parameters, optimizer state, buffers, scalars. Outputs: loss, gradient norm, metrics, new
   * parameters, state and buffers.
   */
  readonly model: Model;
  readonly parameters: readonly ParameterSlot[];
  readonly buffers: readonly BufferSlot[];
  /** Names of the float32 scalar inputs, those of the optimizer. */
  readonly scalars: readonly string[];
  readonly loss: 'loss';
  readonly gradientNorm: string;
}

/** A step without its update: what is left to ONNX Runtime where the update runs in place (`openStepper`). */
export interface GradientGraph {
  /** Inputs: the batch, parameters, buffers. Outputs: loss, its weight where asked for, metrics, gradients, new buffers. */
  readonly model: Model;
  readonly parameters: readonly ParameterSlot[];
  readonly buffers: readonly BufferSlot[];
}

export interface GradientGraphOptions extends Omit<TrainingGraphOptions, 'clipNorm'> {
  /**
   * Whether gradients are of the loss times `loss_weight`, an output of the forward model that is given out as well:
   * sums over micro-batches of unequal size (or class weights) are then exactly the gradient of the whole batch.
   */
  readonly weighted?: boolean;
}

const PARAMETER_PREFIX = 'optimizer/';
const GRADIENT_NORM = 'gradient_norm';

/**
 * One whole step as a plain ONNX graph: forward, loss, gradients, clipping and the optimizer's update. `model` has the
 * scalar output `loss` (see `attachLoss`); what its outputs say of buffers (`bufferUpdates`) goes on from step to step. Runs on any ONNX Runtime; nothing in it is specific to training builds.
 */
export function trainingGraph(model: Model, options: TrainingGraphOptions): TrainingGraph {
  const slots = slotsOf(model, options);
  const buffers = bufferSlots(model, options.trainable);
  const differentiated = gradient(withBuffersAsInputs(model, buffers), {
    of: 'loss',
    withRespectTo: options.trainable,
  });
  const b = new GraphBuilder({ opset: opsetOf(differentiated)!, extending: differentiated.graph });
  const update = emitUpdate(b, slots, options);
  const outputs = [
    ...differentiated.graph.outputs.filter(({ name }) => name === 'loss' || options.metricOutputs?.includes(name)),
    ...update.outputs,
    ...buffers.map(({ next, dims }) => tensorInfo(next, { dtype: 'float32', shape: dims })),
  ];
  return {
    model: assemble(
      differentiated,
      { nodes: update.nodes, initializers: b.initializers },
      {
        inputs: [...differentiated.graph.inputs, ...update.inputs],
        outputs,
        without: new Set(options.trainable),
      },
    ),
    parameters: slots,
    buffers,
    scalars: options.optimizer.scalars,
    loss: 'loss',
    gradientNorm: update.gradientNorm,
  };
}

/** Forward, loss and gradients as a plain ONNX graph. `model` is as for `trainingGraph`. */
export function gradientGraph(model: Model, options: GradientGraphOptions): GradientGraph {
  const slots = slotsOf(model, options);
  const buffers = bufferSlots(model, options.trainable);
  const forward = withBuffersAsInputs(model, buffers);
  const { of, model: whole } = options.weighted === true ? weightedLoss(forward) : { of: 'loss', model: forward };
  const differentiated = gradient(whole, { of, withRespectTo: options.trainable });
  const given = new Set([
    'loss',
    ...(options.weighted === true ? ['loss_weight'] : []),
    ...(options.metricOutputs ?? []),
  ]);
  return {
    model: assemble(
      differentiated,
      { nodes: [], initializers: new Map() },
      {
        inputs: [
          ...differentiated.graph.inputs,
          ...slots.map(({ name, dims }) => tensorInfo(name, { dtype: 'float32', shape: dims })),
        ],
        outputs: [
          ...differentiated.graph.outputs.filter(({ name }) => given.has(name)),
          ...[
            ...slots.map(({ gradient: name, dims }) => ({ name, dims })),
            ...buffers.map(({ next: name, dims }) => ({ name, dims })),
          ].map(({ name, dims }) => tensorInfo(name, { dtype: 'float32', shape: dims })),
        ],
        without: new Set(options.trainable),
      },
    ),
    parameters: slots,
    buffers,
  };
}

function weightedLoss(model: Model): { readonly model: Model; readonly of: string } {
  const b = new GraphBuilder({ opset: opsetOf(model)!, extending: model.graph });
  const of = b.mul('loss', 'loss_weight');
  const { nodes, outputs } = model.graph;
  const graph = {
    ...model.graph,
    nodes: [...nodes, ...b.nodes],
    outputs: [...outputs, tensorInfo(of, { dtype: 'float32', shape: [] })],
  };
  return { model: { ...model, graph }, of };
}

function slotsOf(
  model: Model,
  { trainable, optimizer }: Pick<TrainingGraphOptions, 'trainable' | 'optimizer'>,
): ParameterSlot[] {
  return trainable.map((name) => {
    const weight = model.graph.initializers.get(name);
    if (weight === undefined) throw new LatheError('not-found', `the model has no initializer "${name}" to train`);
    if (weight.dtype !== 'float32')
      throw new LatheError('unsupported', `cannot train "${name}": expected float32, got ${weight.dtype}`);
    return {
      name,
      dims: weight.dims,
      gradient: `${name}_grad`,
      next: `${name}_next`,
      state: optimizer.state.map((state) => {
        const input = `${PARAMETER_PREFIX}${name}/${state}`;
        return { name: state, input, next: `${input}_next` };
      }),
    };
  });
}

function bufferSlots(model: Model, trainable: readonly string[]): BufferSlot[] {
  return bufferUpdates(model).map(({ name, next }) => {
    if (trainable.includes(name)) {
      throw new LatheError('usage', `"${name}" cannot be trained: the output "${next}" gives its next value`);
    }
    return { name, dims: model.graph.initializers.get(name)!.dims, next };
  });
}

/** Before the gradient is built, so that no rule takes a value that will change for a constant. */
function withBuffersAsInputs(model: Model, buffers: readonly BufferSlot[]): Model {
  if (buffers.length === 0) return model;
  const initializers = new Map(model.graph.initializers);
  for (const { name } of buffers) initializers.delete(name);
  const inputs = buffers.map(({ name, dims }) => tensorInfo(name, { dtype: 'float32', shape: dims }));
  return { ...model, graph: { ...model.graph, initializers, inputs: [...model.graph.inputs, ...inputs] } };
}

/** Clipping and the optimizer. */
function emitUpdate(
  b: GraphBuilder,
  slots: readonly ParameterSlot[],
  { optimizer, clipNorm }: TrainingGraphOptions,
): Update {
  const inputs: ValueInfo[] = [];
  const outputs: ValueInfo[] = [];
  const declareInput = (name: string, dims: readonly number[]): void =>
    void inputs.push(tensorInfo(name, { dtype: 'float32', shape: dims }));
  const named = new Map<Value, string>();
  const declareOutput = (value: Value, name: string, dims: readonly number[]): void => {
    named.set(value, name);
    outputs.push(tensorInfo(name, { dtype: 'float32', shape: dims }));
  };
  const scalars: Record<string, Value> = {};
  for (const name of optimizer.scalars) {
    declareInput(name, []);
    scalars[name] = name;
  }
  const squares = slots.map(({ gradient: value }) =>
    b.op('ReduceSumSquare', [value], { keepdims: { kind: 'int', value: 0 } }),
  );
  const norm = b.sqrt(squares.length === 1 ? squares[0]! : b.op('Sum', squares));
  const gradientNorm = GRADIENT_NORM;
  declareOutput(norm, gradientNorm, []);
  // min(1, clipNorm / norm), as PyTorch's clip_grad_norm_.
  const scale =
    clipNorm === undefined
      ? undefined
      : b.op('Min', [
          b.scalar(1, 'float32'),
          b.div(b.scalar(clipNorm, 'float32'), b.add(norm, b.scalar(1e-6, 'float32'))),
        ]);
  for (const { name, dims, gradient: raw, next, state } of slots) {
    declareInput(name, dims);
    for (const { input } of state) declareInput(input, dims);
    const updated = optimizer.update(b, {
      parameter: name,
      gradient: scale === undefined ? raw : b.mul(raw, scale),
      state: Object.fromEntries(state.map((item) => [item.name, item.input])),
      scalars,
      decays: decays(dims),
      dtype: 'float32',
    });
    declareOutput(updated.parameter, next, dims);
    for (const item of state) declareOutput(updated.state[item.name]!, item.next, dims);
  }
  return { inputs, outputs, gradientNorm, nodes: rename(b.nodes, named) };
}

interface Update {
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  readonly gradientNorm: string;
  /** All nodes of the builder, with the outputs under their final names. */
  readonly nodes: readonly Node[];
}

/** Biases and normalization scales are what has one dimension. */
export function decays(dims: readonly number[]): boolean {
  return dims.length > 1;
}

/** Gives values their names as outputs: an Identity for each would be one more pass over every parameter. */
function rename(nodes: readonly Node[], named: ReadonlyMap<Value, string>): Node[] {
  const apply = (values: readonly Value[]): Value[] => values.map((value) => named.get(value) ?? value);
  return nodes.map((node) => ({ ...node, inputs: apply(node.inputs), outputs: apply(node.outputs) }));
}

function assemble(
  model: Model,
  added: Pick<GraphBuilder, 'nodes' | 'initializers'>,
  {
    inputs,
    outputs,
    without,
  }: { inputs: readonly ValueInfo[]; outputs: readonly ValueInfo[]; without: ReadonlySet<string> },
): Model {
  const initializers = new Map<string, StoredTensor>();
  for (const [name, value] of model.graph.initializers) if (!without.has(name)) initializers.set(name, value);
  for (const [name, value] of added.initializers) initializers.set(name, value);
  const graph: Graph = {
    ...model.graph,
    name: 'training_step',
    nodes: [...model.graph.nodes, ...added.nodes],
    initializers,
    inputs,
    outputs,
    valueInfo: [],
  };
  return { ...model, graph };
}
