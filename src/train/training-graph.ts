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

/** Gradient accumulation splits a step in two: the sum over micro-batches, and the update from the sum. */
export interface AccumulatingGraphs {
  /** Inputs: the micro-batch, parameters, buffers, the sums so far. Outputs: loss, its weight, the new sums and buffers. */
  readonly accumulate: Model;
  /** Inputs: parameters, state, sums, scalars and `total_weight`. Outputs: as of a training graph, without the loss. */
  readonly apply: Model;
  readonly parameters: readonly ParameterSlot[];
  readonly buffers: readonly BufferSlot[];
  /** The input (and, with `_next`, output) that holds the sum for a parameter. */
  readonly sumOf: (parameter: string) => string;
  readonly scalars: readonly string[];
  readonly gradientNorm: string;
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
  const gradients = new Map(options.trainable.map((name) => [name, `${name}_grad`]));
  const update = emitUpdate(b, slots, gradients, options);
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

/**
 * The two graphs of a step with gradient accumulation. Sums are weighted by `loss_weight`, an output of the forward
 * model, so that micro-batches of unequal size (or class weights) give exactly the gradient of the whole batch.
 */
export function accumulatingGraphs(model: Model, options: TrainingGraphOptions): AccumulatingGraphs {
  const slots = slotsOf(model, options);
  const buffers = bufferSlots(model, options.trainable);
  const forward = withBuffersAsInputs(model, buffers);
  const weighted = new GraphBuilder({ opset: opsetOf(model)!, extending: model.graph });
  const total = weighted.mul('loss', 'loss_weight');
  const withTotal: Model = {
    ...forward,
    graph: {
      ...forward.graph,
      nodes: [...forward.graph.nodes, ...weighted.nodes],
      outputs: [...forward.graph.outputs, tensorInfo(total, { dtype: 'float32', shape: [] })],
    },
  };
  const differentiated = gradient(withTotal, { of: total, withRespectTo: options.trainable });
  const sumOf = (name: string): string => `${PARAMETER_PREFIX}${name}/gradient_sum`;

  const summing = new GraphBuilder({ opset: opsetOf(differentiated)!, extending: differentiated.graph });
  const sumInputs: ValueInfo[] = [];
  const sumOutputs: ValueInfo[] = [];
  for (const { name, dims } of slots) {
    summing.op('Add', [sumOf(name), `${name}_grad`], {}, `${sumOf(name)}_next`);
    sumInputs.push(tensorInfo(sumOf(name), { dtype: 'float32', shape: dims }));
    sumOutputs.push(tensorInfo(`${sumOf(name)}_next`, { dtype: 'float32', shape: dims }));
  }
  const parameterInputs = slots.map(({ name, dims }) => tensorInfo(name, { dtype: 'float32', shape: dims }));
  const accumulate = assemble(differentiated, summing, {
    inputs: [...differentiated.graph.inputs, ...parameterInputs, ...sumInputs],
    outputs: [
      ...differentiated.graph.outputs.filter(
        ({ name }) => name === 'loss' || name === 'loss_weight' || options.metricOutputs?.includes(name),
      ),
      ...sumOutputs,
      ...buffers.map(({ next, dims }) => tensorInfo(next, { dtype: 'float32', shape: dims })),
    ],
    without: new Set(options.trainable),
  });

  const b = new GraphBuilder({ opset: opsetOf(differentiated)! });
  const weight = b.input('total_weight', 'float32', []);
  const sums = new Map<string, Value>();
  for (const { name, dims } of slots) sums.set(name, b.div(b.input(sumOf(name), 'float32', dims), weight));
  const update = emitUpdate(b, slots, sums, options);
  const applied = b.build({ name: 'apply', opsets: differentiated.opsets, irVersion: differentiated.irVersion });
  const apply: Model = {
    ...applied,
    graph: {
      ...applied.graph,
      nodes: update.nodes,
      inputs: [...applied.graph.inputs, ...update.inputs],
      outputs: update.outputs,
    },
  };
  return {
    accumulate,
    apply,
    parameters: slots,
    buffers,
    sumOf,
    scalars: options.optimizer.scalars,
    gradientNorm: update.gradientNorm,
  };
}

function slotsOf(model: Model, { trainable, optimizer }: TrainingGraphOptions): ParameterSlot[] {
  return trainable.map((name) => {
    const weight = model.graph.initializers.get(name);
    if (weight === undefined) throw new LatheError('not-found', `the model has no initializer "${name}" to train`);
    if (weight.dtype !== 'float32')
      throw new LatheError('unsupported', `cannot train "${name}": expected float32, got ${weight.dtype}`);
    return {
      name,
      dims: weight.dims,
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

/** Clipping and the optimizer, for parameters whose gradients are the given values. */
function emitUpdate(
  b: GraphBuilder,
  slots: readonly ParameterSlot[],
  gradients: ReadonlyMap<string, Value>,
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
  const squares = slots.map(({ name }) =>
    b.op('ReduceSumSquare', [gradients.get(name)!], { keepdims: { kind: 'int', value: 0 } }),
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
  for (const { name, dims, next, state } of slots) {
    declareInput(name, dims);
    for (const { input } of state) declareInput(input, dims);
    const raw = gradients.get(name)!;
    const updated = optimizer.update(b, {
      parameter: name,
      gradient: scale === undefined ? raw : b.mul(raw, scale),
      state: Object.fromEntries(state.map((item) => [item.name, item.input])),
      scalars,
      decays: dims.length > 1,
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
