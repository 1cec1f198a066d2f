import { LatheError, type Tensor } from '../base/index.ts';
import { type Model, tensorOf } from '../graph/index.ts';
import { allocateTensors, openSession, type SessionOptions } from '../runtime/index.ts';
import { type ParameterMemory, updateKernels } from './optimizers/update-kernels.ts';
import {
  type BufferSlot,
  decays,
  type GradientGraph,
  gradientGraph,
  type ParameterSlot,
  type TrainingGraphOptions,
} from './training-graph.ts';

export type Batch = Readonly<Record<string, Tensor>>;

export interface StepResult {
  readonly loss: number;
  readonly gradientNorm: number;
}

/**
 * Owns the parameters, the optimizer state and the buffers of a run, and moves them by one step. ONNX Runtime gives the
 * gradients; parameters and state are then updated where they lie.
 */
export interface Stepper {
  readonly slots: readonly ParameterSlot[];
  /**
   * One step over the micro-batches of `batches` (one, without accumulation). `step` counts from 1. A step whose loss or
   * gradient is not finite is not taken: the caller can look into what caused it.
   */
  step(batches: readonly Batch[], step: number, learningRate: number): Promise<StepResult>;
  /** Parameters, optimizer state and buffers by name, as they are now: valid until the next step. */
  tensors(): ReadonlyMap<string, Tensor>;
  /** What a model predicts with: parameters and buffers. */
  parameters(): ReadonlyMap<string, Tensor>;
  /** Sets parameters, state and buffers, from a checkpoint. Throws LatheError('corrupt') when a tensor is missing or has another shape. */
  restore(tensors: ReadonlyMap<string, Tensor>): void;
  close(): Promise<void>;
}

export interface StepperOptions extends TrainingGraphOptions {
  /** The most micro-batches of a step. */
  readonly accumulation: number;
  readonly session: SessionOptions;
}

export async function openStepper(model: Model, options: StepperOptions): Promise<Stepper> {
  const { optimizer, clipNorm } = options;
  const accumulates = options.accumulation > 1;
  const graph = gradientGraph(model, { ...options, weighted: accumulates });
  const session = await openSession(graph.model, options.session);
  const memory = memoryOf(model, graph, accumulates);
  const { parameters, buffers } = memory;
  const kernels = updateKernels(optimizer);

  /** Leaves the sum of the gradients where the gradients of one batch would be, and moves the buffers. */
  async function sumGradients(batches: readonly Batch[]): Promise<{ loss: number; weight: number }> {
    let [loss, weight] = [0, 0];
    for (const [index, batch] of batches.entries()) {
      const results = await session.run(
        { ...batch, ...memory.feeds, ...buffers.feeds() },
        {
          outputs: accumulates ? ['loss', 'loss_weight'] : ['loss'],
          into: { ...(index === 0 ? memory.gradients : memory.parts), ...buffers.targets() },
        },
      );
      const share = accumulates ? scalarOf(results.loss_weight) : 1;
      loss += scalarOf(results.loss) * share;
      weight += share;
      if (index > 0) for (const { gradient, part } of parameters) kernels.add(gradient, part!);
      buffers.swap();
    }
    return { loss, weight };
  }

  return {
    slots: graph.parameters,
    ...memory.access,
    async step(batches, step, learningRate) {
      const before = buffers.copies();
      const sum = await sumGradients(batches);
      // All labels ignored: nothing to learn from.
      if (sum.weight === 0) return { loss: 0, gradientNorm: 0 };
      const squares = parameters.reduce((total, { gradient }) => total + kernels.sumOfSquares(gradient), 0);
      const result = { loss: sum.loss / sum.weight, gradientNorm: Math.sqrt(squares) / sum.weight };
      if (!Number.isFinite(result.loss) || !Number.isFinite(result.gradientNorm)) {
        for (const [name, value] of before) copyInto(buffers.current().get(name)!, value);
        return result;
      }
      const scale = clippingScale(result.gradientNorm, clipNorm) / sum.weight;
      const scalars = optimizer.scalarValues(step, learningRate);
      for (const parameter of parameters) kernels.update(parameter, scale, scalars);
      return result;
    },
    close: () => session.close(),
  };
}

/** min(1, clipNorm / norm), as PyTorch's clip_grad_norm_. */
function clippingScale(norm: number, clipNorm: number | undefined): number {
  return clipNorm === undefined ? 1 : Math.min(1, clipNorm / (norm + 1e-6));
}

/** All that a stepper owns. Parameters and buffers begin as in the model, state as zeros. */
interface Memory {
  readonly parameters: readonly (ParameterMemory & { readonly part?: Float32Array })[];
  /** Parameters as inputs, gradients as outputs, and, where steps accumulate, a second place for gradients. */
  readonly feeds: Readonly<Record<string, Tensor>>;
  readonly gradients: Readonly<Record<string, Tensor>>;
  readonly parts: Readonly<Record<string, Tensor>>;
  readonly buffers: DoubleBuffer;
  readonly access: Pick<Stepper, 'tensors' | 'parameters' | 'restore'>;
}

function memoryOf(model: Model, { parameters, buffers: bufferSlots }: GradientGraph, accumulates: boolean): Memory {
  const partOf = (gradient: string): string => `${gradient}/part`;
  // All of a parameter lies together: that is what the kernels work on in place.
  const allocated = allocateTensors(
    parameters.map(({ name, dims, gradient, state }) =>
      [name, ...state.map(({ input }) => input), gradient, ...(accumulates ? [partOf(gradient)] : [])].map(
        (tensor) => [tensor, dims] as const,
      ),
    ),
  );
  const tensorFor = (name: string): Tensor => allocated.get(name)!;
  const arrayOf = (name: string): Float32Array => tensorFor(name).data as Float32Array;
  const kept = parameters.flatMap(({ name, state }) => [name, ...state.map(({ input }) => input)]);
  const feeds = Object.fromEntries(parameters.map(({ name }) => [name, tensorFor(name)]));
  const buffers = doubleBuffer(bufferSlots);
  const tensors = (): Map<string, Tensor> =>
    new Map([...kept.map((name) => [name, tensorFor(name)] as const), ...buffers.current()]);
  const first = tensors();
  for (const { name } of [...parameters, ...bufferSlots])
    copyInto(first.get(name)!, tensorOf(model.graph.initializers.get(name)!));
  return {
    parameters: parameters.map(({ name, dims, gradient, state }) => ({
      parameter: arrayOf(name),
      gradient: arrayOf(gradient),
      state: Object.fromEntries(state.map((item) => [item.name, arrayOf(item.input)])),
      decays: decays(dims),
      ...(accumulates && { part: arrayOf(partOf(gradient)) }),
    })),
    feeds,
    gradients: Object.fromEntries(parameters.map(({ gradient }) => [gradient, tensorFor(gradient)])),
    parts: accumulates
      ? Object.fromEntries(parameters.map(({ gradient }) => [gradient, tensorFor(partOf(gradient))]))
      : {},
    buffers,
    access: {
      tensors,
      parameters: () => new Map([...Object.entries(feeds), ...buffers.current()]),
      restore(saved) {
        for (const [name, target] of tensors()) {
          const value = saved.get(name);
          if (value === undefined || value.dtype !== 'float32' || value.dims.join() !== target.dims.join()) {
            throw new LatheError(
              'corrupt',
              `the checkpoint does not fit the model: "${name}" should be float32 [${target.dims}], it ${value === undefined ? 'is missing' : `is ${value.dtype} [${value.dims}]`}`,
            );
          }
          copyInto(target, value);
        }
      },
    },
  };
}

/** Tensors that ONNX Runtime reads in one place and writes in another: it must not write what it reads. */
interface DoubleBuffer {
  /** By name, as they are now. */
  current(): ReadonlyMap<string, Tensor>;
  copies(): ReadonlyMap<string, Tensor>;
  feeds(): Record<string, Tensor>;
  targets(): Record<string, Tensor>;
  swap(): void;
}

function doubleBuffer(slots: readonly BufferSlot[]): DoubleBuffer {
  const allocate = () => allocateTensors(slots.map(({ name, dims }) => [[name, dims]]));
  let front = allocate();
  let back = allocate();
  return {
    current: () => front,
    copies: () =>
      new Map(Array.from(front, ([name, value]) => [name, { ...value, data: (value.data as Float32Array).slice() }])),
    feeds: () => Object.fromEntries(front),
    targets: () => Object.fromEntries(slots.map(({ name, next }) => [next, back.get(name)!])),
    swap() {
      [front, back] = [back, front];
    },
  };
}

function copyInto(target: Tensor, source: Tensor): void {
  (target.data as Float32Array).set(source.data as Float32Array);
}

function scalarOf(value: Tensor | undefined): number {
  return Number(value!.data[0]);
}
