import type { ClassificationCurves, ClassifierComparison, TaskReport } from '../../metrics/index.ts';
import type { WorstMistake } from './worst-mistakes.ts';

/** What a run has to say for itself. Everything optional may be missing; its section is then left out. */
export interface RunReportData {
  /** The name of the run or of the package. */
  readonly title: string;
  readonly task: string;
  /** What was trained, in a few words: `bert-mini`. */
  readonly model: string;
  /** ISO 8601. */
  readonly finishedAt: string;
  readonly evaluation: Evaluation;
  readonly baseline?: Baseline;
  readonly size?: Size;
  readonly history?: History;
  readonly mistakes?: readonly WorstMistake[];
  readonly settings?: Readonly<Record<string, unknown>>;
  readonly data?: DataFacts;
  readonly speed?: Speed;
  /** Versions and machine: `{ lathe: '0.1.0', node: 'v20.19.0', 'onnxruntime-node': '1.30.0' }`. */
  readonly environment?: Readonly<Record<string, string>>;
  /** The command that gives this run again. */
  readonly command?: string;
  readonly nextSteps?: readonly { readonly text: string; readonly command?: string }[];
  /** What went not as asked: stopped by the time budget, settings changed to fit. */
  readonly notes?: readonly string[];
}

export interface Evaluation {
  /** Which rows: `test`. */
  readonly split: string;
  readonly report: TaskReport;
  readonly curves?: readonly ClassificationCurves[];
  /** Scores of the positive class by true label (classification), or truth beside prediction (regression). */
  readonly scores?: readonly { readonly label: string; readonly values: ArrayLike<number> }[];
  /** The best threshold for F1, found on validation. */
  readonly suggestedThreshold?: { readonly threshold: number; readonly f1: number; readonly split: string };
  /** What an example is called, in the plural: "mails". Default "examples". */
  readonly noun?: string;
}

export interface Size {
  readonly parameters: number;
  readonly bytes: number;
}

export interface Baseline {
  /** `linear`. */
  readonly name: string;
  /** On the same examples as the evaluation. */
  readonly report: TaskReport;
  readonly size?: Size;
  readonly examplesPerSecond?: number;
  /** The model of this run minus the baseline, in the metric that the report is judged by. */
  readonly comparison?: BaselineComparison;
}

/** A {@link ClassifierComparison} is one; for other tasks, the paired bootstrap alone. */
export type BaselineComparison = Pick<ClassifierComparison, 'bootstrap'> &
  Partial<Pick<ClassifierComparison, 'mcNemar'>>;

export interface History {
  readonly training: readonly TrainingPoint[];
  readonly validation?: readonly ValidationPoint[];
  /** The step whose weights were kept. */
  readonly bestStep?: number;
  readonly stepsPerEpoch?: number;
}

export interface TrainingPoint {
  readonly step: number;
  readonly loss: number;
  readonly learningRate?: number;
}

export interface ValidationPoint {
  readonly step: number;
  readonly loss?: number;
  readonly metrics: Readonly<Record<string, number>>;
}

export interface DataFacts {
  /** Where the rows come from, as the user named it. */
  readonly source?: string;
  readonly hash?: string;
  readonly splits: readonly { readonly name: string; readonly examples: number }[];
  /** Examples by label; `counts` in the order of `splits`. */
  readonly labels?: readonly { readonly label: string; readonly counts: readonly number[] }[];
  readonly dropped?: readonly { readonly reason: string; readonly rows: number }[];
  /** Share of tokens that were padding, in [0, 1]. */
  readonly paddingShare?: number;
  /** Share of examples that were cut to the maximum length, in [0, 1]. */
  readonly truncatedShare?: number;
}

export interface Speed {
  readonly trainingSeconds?: number;
  readonly examplesPerSecond?: number;
  readonly tokensPerSecond?: number;
  readonly peakMemoryBytes?: number;
  /** Of the trained model at prediction time. */
  readonly predictionsPerSecond?: number;
}
