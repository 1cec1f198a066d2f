import { LatheError, type Tensor, tensor } from '../base/index.ts';
import type { Model } from '../graph/index.ts';
import { tensorOf } from '../graph/index.ts';
import { allocateTensors, openSession, type SessionOptions } from '../runtime/index.ts';
import type { Optimizer } from './optimizers/optimizer.ts';
import {
  type AccumulatingGraphs,
  accumulatingGraphs,
  type BufferSlot,
  type ParameterSlot,
  type TrainingGraph,
  type TrainingGraphOptions,
  trainingGraph,
} from './training-graph.ts';

export type Batch = Readonly<Record<string, Tensor>>;

export interface StepResult {
  readonly loss: number;
  readonly gradientNorm: number;
}

/**
 * Owns the parameters, the optimizer state and the buffers of a run, and moves them by one step. All exist twice: a step
 * reads one set and writes the other, then they change places. ONNX Runtime must not write what it reads.
 */
export interface Stepper {
  readonly slots: readonly ParameterSlot[];
  /** One step over the micro-batches of `batches` (one, without accumulation). `step` counts from 1. */
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
  readonly accumulation: number;
  readonly session: SessionOptions;
}

export async function openStepper(model: Model, options: StepperOptions): Promise<Stepper> {
  return options.accumulation > 1
    ? openAccumulating(accumulatingGraphs(model, options), model, options)
    : openFused(trainingGraph(model, options), model, options);
}

async function openFused(
  graph: TrainingGraph,
  model: Model,
  { optimizer, session: sessionOptions }: StepperOptions,
): Promise<Stepper> {
  const session = await openSession(graph.model, sessionOptions);
  const memory = memoryOf(model, graph.parameters, graph.buffers);
  const { trained, buffers } = memory;
  return {
    slots: graph.parameters,
    ...memory.access,
    async step([batch], step, learningRate) {
      const results = await session.run(
        { ...batch, ...trained.feeds(), ...buffers.feeds(), ...scalarFeeds(optimizer, step, learningRate) },
        { outputs: [graph.loss, graph.gradientNorm], into: { ...trained.targets(), ...buffers.targets() } },
      );
      const result = { loss: scalarOf(results[graph.loss]), gradientNorm: scalarOf(results[graph.gradientNorm]) };
      // A step that is not finite is not taken: the caller can look into what caused it.
      if (isFiniteStep(result)) {
        trained.swap();
        buffers.swap();
      }
      return result;
    },
    close: () => session.close(),
  };
}

async function openAccumulating(
  graphs: AccumulatingGraphs,
  model: Model,
  { optimizer, session: sessionOptions }: StepperOptions,
): Promise<Stepper> {
  const accumulate = await openSession(graphs.accumulate, sessionOptions);
  const apply = await openSession(graphs.apply, sessionOptions);
  const memory = memoryOf(model, graphs.parameters, graphs.buffers);
  const { trained, buffers } = memory;
  const sumShapes = graphs.parameters.map(({ name, dims }) => [graphs.sumOf(name), dims] as const);
  let sums = allocateTensors(sumShapes);
  let nextSums = allocateTensors(sumShapes);
  return {
    slots: graphs.parameters,
    ...memory.access,
    async step(batches, step, learningRate) {
      for (const sum of sums.values()) (sum.data as Float32Array).fill(0);
      let loss = 0;
      let weight = 0;
      const before = Array.from(
        buffers.current(),
        ([name, value]) => [name, { ...value, data: value.data.slice() }] as const,
      );
      for (const batch of batches) {
        const results = await accumulate.run(
          { ...batch, ...memory.parameterFeeds(), ...buffers.feeds(), ...Object.fromEntries(sums) },
          {
            outputs: ['loss', 'loss_weight'],
            into: {
              ...Object.fromEntries(Array.from(nextSums, ([name, value]) => [`${name}_next`, value])),
              ...buffers.targets(),
            },
          },
        );
        const micro = scalarOf(results.loss_weight);
        loss += scalarOf(results.loss) * micro;
        weight += micro;
        [sums, nextSums] = [nextSums, sums];
        buffers.swap();
      }
      if (weight === 0) return { loss: 0, gradientNorm: 0 };
      const results = await apply.run(
        {
          ...trained.feeds(),
          ...Object.fromEntries(sums),
          ...scalarFeeds(optimizer, step, learningRate),
          total_weight: scalar(weight),
        },
        { outputs: [graphs.gradientNorm], into: trained.targets() },
      );
      const result = { loss: loss / weight, gradientNorm: scalarOf(results[graphs.gradientNorm]) };
      if (isFiniteStep(result)) trained.swap();
      else for (const [name, value] of before) copyInto(buffers.current().get(name)!, value);
      return result;
    },
    async close() {
      await accumulate.close();
      await apply.close();
    },
  };
}

/** Tensors that a step reads in one place and writes in another. */
interface Slot {
  readonly name: string;
  readonly dims: readonly number[];
  readonly next: string;
}

interface DoubleBuffer {
  /** By name, as they are now. */
  current(): ReadonlyMap<string, Tensor>;
  feeds(): Record<string, Tensor>;
  targets(): Record<string, Tensor>;
  swap(): void;
}

function doubleBuffer(slots: readonly Slot[]): DoubleBuffer {
  const shapes = slots.map(({ name, dims }) => [name, dims] as const);
  let front = allocateTensors(shapes);
  let back = allocateTensors(shapes);
  return {
    current: () => front,
    feeds: () => Object.fromEntries(front),
    targets: () => Object.fromEntries(slots.map(({ name, next }) => [next, back.get(name)!])),
    swap() {
      [front, back] = [back, front];
    },
  };
}

/** All that a stepper owns: parameters with their optimizer state, and buffers. Parameters and buffers begin as in the model. */
interface Memory {
  readonly trained: DoubleBuffer;
  readonly buffers: DoubleBuffer;
  readonly access: Pick<Stepper, 'tensors' | 'parameters' | 'restore'>;
  parameterFeeds(): Record<string, Tensor>;
}

function memoryOf(model: Model, parameters: readonly ParameterSlot[], bufferSlots: readonly BufferSlot[]): Memory {
  const trainedSlots: readonly Slot[] = parameters.flatMap(({ name, dims, next, state }) => [
    { name, dims, next },
    ...state.map((item) => ({ name: item.input, dims, next: item.next })),
  ]);
  const trained = doubleBuffer(trainedSlots);
  const buffers = doubleBuffer(bufferSlots);
  const tensors = (): Map<string, Tensor> => new Map([...trained.current(), ...buffers.current()]);
  const fill = (name: string, source: Tensor): void => copyInto(tensors().get(name)!, source);
  for (const { name } of [...parameters, ...bufferSlots]) fill(name, tensorOf(model.graph.initializers.get(name)!));
  const parameterFeeds = (): Record<string, Tensor> =>
    Object.fromEntries(parameters.map(({ name }) => [name, trained.current().get(name)!]));
  return {
    trained,
    buffers,
    parameterFeeds,
    access: {
      tensors,
      parameters: () => new Map([...Object.entries(parameterFeeds()), ...buffers.current()]),
      restore(saved) {
        for (const { name, dims } of [...trainedSlots, ...bufferSlots]) {
          const value = saved.get(name);
          if (value === undefined || value.dtype !== 'float32' || value.dims.join() !== dims.join()) {
            throw new LatheError(
              'corrupt',
              `the checkpoint does not fit the model: "${name}" should be float32 [${dims}], it ${value === undefined ? 'is missing' : `is ${value.dtype} [${value.dims}]`}`,
            );
          }
          fill(name, value);
        }
      },
    },
  };
}

function copyInto(target: Tensor, source: Tensor): void {
  (target.data as Float32Array).set(source.data as Float32Array);
}

function isFiniteStep({ loss, gradientNorm }: StepResult): boolean {
  return Number.isFinite(loss) && Number.isFinite(gradientNorm);
}

function scalarFeeds(optimizer: Optimizer, step: number, learningRate: number): Record<string, Tensor> {
  return Object.fromEntries(
    Object.entries(optimizer.scalarValues(step, learningRate)).map(([name, value]) => [name, scalar(value)]),
  );
}

function scalar(value: number): Tensor {
  return tensor('float32', [], new Float32Array([value]));
}

function scalarOf(value: Tensor | undefined): number {
  return Number(value!.data[0]);
}
