import type { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import type { DataType } from '../base/dtype.ts';
import { LatheError } from '../base/errors.ts';
import { formatDims } from '../base/shape.ts';
import type { Tensor, TypedArray } from '../base/tensor.ts';
import { encodeModel, type Model, type TensorType } from '../graph/index.ts';

export interface SessionOptions {
  /** As ONNX Runtime names them: 'cpu' (default), 'cuda', 'coreml', 'webgpu', 'dml', … */
  readonly device?: string;
  /** Threads inside an operator; default: ONNX Runtime's choice, one a core. */
  readonly threads?: number;
  /** Whether idle threads spin, which answers sooner and costs a core. Default true; servers turn it off. */
  readonly spinning?: boolean;
  /** Whether memory is planned ahead for fixed shapes. Training with varying shapes peaks lower without. Default true. */
  readonly memoryPattern?: boolean;
  readonly optimization?: 'disabled' | 'basic' | 'extended' | 'all';
  /** Writes a profile to a file with this prefix; `close()` finishes it. */
  readonly profilePrefix?: string;
}

/** A model loaded into ONNX Runtime. It owns native memory until `close()`. */
export interface Session {
  readonly inputs: ReadonlyMap<string, TensorType>;
  readonly outputs: ReadonlyMap<string, TensorType>;
  /**
   * Runs the model. Feeds are read in place. `outputs` names what to compute (default: all); `into` gives tensors to
   * write to, whose memory the caller owns, for outputs of known shape. Blocks the event loop while it runs and cannot
   * be cancelled. Throws a LatheError for a missing or unknown input, a wrong type, or memory both read and written.
   */
  run(feeds: Readonly<Record<string, Tensor>>, options?: RunOptions): Promise<Record<string, Tensor>>;
  close(): Promise<void>;
}

export interface RunOptions {
  readonly outputs?: readonly string[];
  readonly into?: Readonly<Record<string, Tensor>>;
}

/** Loads ONNX Runtime on first use: a command that runs no model does not pay for it. */
async function runtime(): Promise<typeof import('onnxruntime-node')> {
  const loaded = await import('onnxruntime-node');
  return 'InferenceSession' in loaded ? loaded : (loaded as { default: typeof import('onnxruntime-node') }).default;
}

/**
 * Opens a session over a model, the bytes of a model file, or the path of one (the way for models with external data
 * or over 2 GB). Throws LatheError('unsupported') when ONNX Runtime does not take the model, with its reason.
 */
export async function openSession(source: Model | Uint8Array | string, options: SessionOptions = {}): Promise<Session> {
  const ort = await runtime();
  const settings = sessionSettings(options);
  let native: InferenceSession;
  try {
    if (typeof source === 'string') native = await ort.InferenceSession.create(source, settings);
    else
      native = await ort.InferenceSession.create(source instanceof Uint8Array ? source : encodeModel(source), settings);
  } catch (cause) {
    throw new LatheError(
      'unsupported',
      `ONNX Runtime did not load the model${typeof source === 'string' ? ` "${source}"` : ''}: ${messageOf(cause)}`,
      {
        cause,
      },
    );
  }
  return wrap(ort, native);
}

function sessionSettings(options: SessionOptions): InferenceSession.SessionOptions {
  const config: Record<string, string> = {};
  if (options.spinning === false) config['intra_op.allow_spinning'] = '0';
  return {
    executionProviders: [options.device ?? 'cpu'],
    graphOptimizationLevel: options.optimization ?? 'all',
    interOpNumThreads: 1,
    logSeverityLevel: 3,
    ...(options.threads !== undefined && { intraOpNumThreads: options.threads }),
    ...(options.memoryPattern === false && { enableMemPattern: false }),
    ...(options.profilePrefix !== undefined && { enableProfiling: true, profileFilePrefix: options.profilePrefix }),
    extra: { session: config },
  };
}

function wrap(ort: typeof import('onnxruntime-node'), native: InferenceSession): Session {
  const inputs = typesOf(native.inputMetadata);
  const outputs = typesOf(native.outputMetadata);
  let open = true;
  return {
    inputs,
    outputs,
    async run(feeds, { outputs: wanted, into = {} } = {}) {
      if (!open) throw new LatheError('internal', 'the session is closed');
      checkFeeds(inputs, feeds);
      const fetches: Record<string, OrtTensor | null> = {};
      for (const name of wanted ?? native.outputNames) {
        if (!outputs.has(name))
          throw new LatheError('not-found', `the model has no output "${name}"; it has ${list(outputs.keys())}`);
        fetches[name] = null;
      }
      for (const [name, tensor] of Object.entries(into)) {
        if (!outputs.has(name))
          throw new LatheError('not-found', `the model has no output "${name}"; it has ${list(outputs.keys())}`);
        fetches[name] = toNative(ort, tensor);
      }
      refuseAliases(into, feeds);
      const nativeFeeds: Record<string, OrtTensor> = {};
      for (const [name, tensor] of Object.entries(feeds)) nativeFeeds[name] = toNative(ort, tensor);
      let results: InferenceSession.OnnxValueMapType;
      try {
        results = await native.run(nativeFeeds, fetches);
      } catch (cause) {
        const shapes = Object.entries(feeds).map(([name, { dtype, dims }]) => `${name} ${dtype}${formatDims(dims)}`);
        throw new LatheError('shape', `ONNX Runtime failed: ${messageOf(cause)}`, {
          hint: `Inputs were ${shapes.join(', ')}.`,
          cause,
        });
      }
      const out: Record<string, Tensor> = {};
      for (const [name, value] of Object.entries(results)) out[name] = into[name] ?? fromNative(value as OrtTensor);
      return out;
    },
    async close() {
      if (!open) return;
      open = false;
      native.endProfiling();
      await native.release();
    },
  };
}

function typesOf(metadata: readonly InferenceSession.ValueMetadata[]): Map<string, TensorType> {
  return new Map(
    metadata.map((value) => [
      value.name,
      value.isTensor
        ? { dtype: value.type as DataType, shape: value.shape.map((dim) => (dim === '' ? null : dim)) }
        : // Sequences and maps cannot be fed from tensors; the name alone is kept.
          { dtype: 'float32' as const },
    ]),
  );
}

function checkFeeds(inputs: ReadonlyMap<string, TensorType>, feeds: Readonly<Record<string, Tensor>>): void {
  for (const [name, type] of inputs) {
    const feed = feeds[name];
    if (feed === undefined)
      throw new LatheError('shape', `input "${name}" is missing: expected ${describe(type)}`, {
        hint: `The model's inputs are ${list(inputs.keys())}.`,
      });
    const fits =
      feed.dtype === type.dtype &&
      (type.shape === undefined ||
        (feed.dims.length === type.shape.length &&
          type.shape.every((dim, axis) => typeof dim !== 'number' || dim === feed.dims[axis])));
    if (!fits)
      throw new LatheError(
        'shape',
        `input "${name}": expected ${describe(type)}, got ${feed.dtype}${formatDims(feed.dims)}`,
      );
  }
  for (const name of Object.keys(feeds)) {
    if (!inputs.has(name))
      throw new LatheError('shape', `the model has no input "${name}"; it has ${list(inputs.keys())}`);
  }
}

/** The memory that feeds lie in: of each buffer, where they begin, and how far those up to there reach. */
interface ReadRange {
  readonly begin: number;
  readonly reach: number;
  readonly name: string;
}

/** ONNX Runtime would compute from memory that it is overwriting, and say nothing. A step of training has hundreds of each. */
function refuseAliases(into: Readonly<Record<string, Tensor>>, feeds: Readonly<Record<string, Tensor>>): void {
  const read = new Map<ArrayBufferLike, ReadRange[]>();
  for (const [name, { data }] of Object.entries(feeds)) {
    if (!ArrayBuffer.isView(data)) continue;
    const range = { begin: data.byteOffset, reach: data.byteOffset + data.byteLength, name };
    const ranges = read.get(data.buffer);
    if (ranges === undefined) read.set(data.buffer, [range]);
    else ranges.push(range);
  }
  for (const [buffer, ranges] of read) {
    ranges.sort((a, b) => a.begin - b.begin);
    let furthest = ranges[0]!;
    read.set(
      buffer,
      ranges.map((range) => {
        if (range.reach > furthest.reach) furthest = range;
        return { begin: range.begin, reach: furthest.reach, name: furthest.name };
      }),
    );
  }
  for (const [output, { data }] of Object.entries(into)) {
    if (!ArrayBuffer.isView(data)) continue;
    const over = furthestBefore(read.get(data.buffer) ?? [], data.byteOffset + data.byteLength);
    if (over === undefined || over.reach <= data.byteOffset) continue;
    throw new LatheError('internal', `output "${output}" would be written over the memory of input "${over.name}"`, {
      hint: 'Use two buffers and swap them.',
    });
  }
}

/** The last of the ranges that begin before `end`; they are in the order of their beginnings. */
function furthestBefore(ranges: readonly ReadRange[], end: number): ReadRange | undefined {
  let [low, high] = [0, ranges.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ranges[middle]!.begin < end) low = middle + 1;
    else high = middle;
  }
  return ranges[low - 1];
}

function toNative(ort: typeof import('onnxruntime-node'), { dtype, data, dims }: Tensor): OrtTensor {
  // The constructor's overloads list each pair of type and array; ours are the same pairs.
  return new ort.Tensor(dtype as 'float32', data as Float32Array, dims as number[]) as OrtTensor;
}

function fromNative(value: OrtTensor): Tensor {
  return { dtype: value.type as DataType, dims: value.dims, data: value.data as TypedArray | string[] };
}

function describe({ dtype, shape }: TensorType): string {
  return `${dtype}${shape === undefined ? '' : formatDims(shape)}`;
}

function list(names: Iterable<string>): string {
  return Array.from(names, (name) => `"${name}"`).join(', ') || 'none';
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
