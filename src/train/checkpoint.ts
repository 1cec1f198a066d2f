import { writeFileAtomically } from '../base/atomic-write.ts';
import { decodeSafetensors, encodeSafetensors, LatheError, type Tensor } from '../base/index.ts';
import { readWhole } from '../base/read-whole.ts';

/**
 * All that a run needs to go on as if it had never stopped: parameters and optimizer state bit for bit, and the
 * position. What is random later (order of the batches, dropout) is a function of the seed and the position.
 */
export interface Checkpoint {
  readonly tensors: ReadonlyMap<string, Tensor>;
  readonly position: Position;
}

export interface Position {
  /** Optimizer steps done. */
  readonly step: number;
  readonly totalSteps: number;
  /** The epoch that the next step belongs to, counted from 0, and the batches of it that are done. */
  readonly epoch: number;
  readonly batch: number;
  /** Seconds of training so far, over all sittings. */
  readonly seconds: number;
  readonly examplesSeen: number;
  readonly best?: { readonly step: number; readonly score: number };
  readonly validationsWithoutImprovement: number;
  /** Length of metrics.jsonl at this point: what a stopped run wrote beyond it is written again. */
  readonly metricsBytes: number;
  /** Identifies model, data and settings: only the same run may continue. */
  readonly fingerprint: string;
}

/** One file, so that one rename replaces it: a run killed at any moment has the last checkpoint or the one before. */
export async function writeCheckpoint(path: string, { tensors, position }: Checkpoint): Promise<void> {
  await writeFileAtomically(path, encodeSafetensors(tensors, { lathe_position: JSON.stringify(position) }));
}

/** Undefined when there is no checkpoint at `path`. Throws LatheError: 'corrupt' for a file that is not one, 'io'. */
export async function readCheckpoint(path: string): Promise<Checkpoint | undefined> {
  let bytes: Uint8Array;
  try {
    bytes = await readWhole(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new LatheError('io', `cannot read the checkpoint "${path}": ${(error as Error).message}`, { cause: error });
  }
  const { tensors, metadata } = decodeSafetensors(bytes, path);
  return { tensors, position: positionOf(metadata.lathe_position, path) };
}

function positionOf(text: string | undefined, path: string): Position {
  const hint = 'Start the run anew without --resume.';
  if (text === undefined) {
    throw new LatheError('corrupt', `"${path}" is not a checkpoint of a run: it has no position`, { hint });
  }
  try {
    return JSON.parse(text) as Position;
  } catch (cause) {
    throw new LatheError('corrupt', `"${path}": the position of the run is not JSON`, { hint, cause });
  }
}
