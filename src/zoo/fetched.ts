import type { Manners } from './ask.ts';
import type { WeightFormat } from './hub/choose.ts';
import type { ModelSource } from './source.ts';

/** A model's files, on this machine. */
export interface Fetched {
  readonly source: ModelSource;
  /** Where the files are. It may be a cache that others share: nothing in it is to be changed. */
  readonly folder: string;
  readonly files: readonly FetchedFile[];
  /** Of a repository of the Hub. */
  readonly commit?: string;
  /** Of a package. */
  readonly version?: string;
  /** What Lathe chose, where it had the choice. */
  readonly format?: WeightFormat;
  /** As the source says. */
  readonly licence?: string;
  readonly task?: string;
}

export interface FetchedFile {
  /** In the folder, with slashes. */
  readonly path: string;
  readonly bytes: number;
  readonly sha256?: string;
}

export interface FetchOptions extends Manners {
  /** More than this is refused before it is fetched. */
  readonly mostBytes: number;
  /** Default: the environment of the process. */
  readonly env?: NodeJS.ProcessEnv | undefined;
  /** The weights to take where a repository has both; default a checkpoint that is not refused, else ONNX. */
  readonly format?: WeightFormat | undefined;
  /** Of ONNX files: `fp16`, `quantized`, `q4`, … */
  readonly variant?: string | undefined;
  /** Says why a checkpoint with this config.json (undefined without one) cannot be used, before its weights are fetched. */
  readonly refusal?: ((config: unknown) => string | undefined) | undefined;
  /** Told what will be fetched, before it is. */
  readonly onPlan?: ((plan: FetchPlan) => void) | undefined;
  readonly onProgress?: ((progress: FetchProgress) => void) | undefined;
}

export interface FetchPlan {
  readonly files: readonly { readonly path: string; readonly bytes: number }[];
  readonly bytes: number;
}

export interface FetchProgress {
  readonly file: string;
  /** Bytes of all files together. */
  readonly done: number;
  readonly total: number | undefined;
}
