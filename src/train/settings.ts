import { LatheError } from '../base/index.ts';
import { adamW } from './optimizers/adam-w.ts';
import { lion } from './optimizers/lion.ts';
import type { Optimizer } from './optimizers/optimizer.ts';
import { sgd } from './optimizers/sgd.ts';
import type { ScheduleOptions } from './schedule.ts';

/** What a run is made with: plain data, kept in run.json, and enough to repeat it. */
export interface TrainSettings {
  readonly epochs: number;
  readonly batchSize: number;
  /** Micro-batches that make one step. */
  readonly accumulation: number;
  readonly learningRate: number;
  readonly schedule: ScheduleOptions['kind'];
  /** Share of the steps (under 1), or their number. */
  readonly warmup: number;
  readonly optimizer: OptimizerSettings;
  /** Largest global norm of the gradient; 0 for no limit. */
  readonly clipNorm: number;
  readonly seed: number;
  /** Patterns of parameters that stay as they are: `bert.embeddings.*`. */
  readonly freeze: readonly string[];
  /** Validations an epoch. */
  readonly validationsPerEpoch: number;
  /** Stops after so many validations without a better score; 0 never. */
  readonly patience: number;
  /** Seconds of training after which the run ends; the schedule is fitted to it. 0 for no limit. */
  readonly timeBudgetSeconds: number;
  /** Seconds between checkpoints, beside those at each validation. */
  readonly checkpointSeconds: number;
  /** Threads inside an operator; 0 for one a core. */
  readonly threads: number;
}

export type OptimizerSettings =
  | {
      readonly name: 'adamW';
      readonly beta1?: number;
      readonly beta2?: number;
      readonly epsilon?: number;
      readonly weightDecay?: number;
    }
  | { readonly name: 'sgd'; readonly momentum?: number; readonly nesterov?: boolean; readonly weightDecay?: number }
  | { readonly name: 'lion'; readonly beta1?: number; readonly beta2?: number; readonly weightDecay?: number };

export const DEFAULT_SETTINGS: TrainSettings = {
  epochs: 3,
  batchSize: 32,
  accumulation: 1,
  learningRate: 5e-5,
  schedule: 'linear',
  warmup: 0.1,
  optimizer: { name: 'adamW', weightDecay: 0.01 },
  clipNorm: 1,
  seed: 42,
  freeze: [],
  validationsPerEpoch: 1,
  patience: 3,
  timeBudgetSeconds: 0,
  checkpointSeconds: 30,
  threads: 0,
};

const OPTIMIZERS = { adamW, sgd, lion } as const;

export function optimizerOf({ name, ...options }: OptimizerSettings): Optimizer {
  return OPTIMIZERS[name](options);
}

/** Throws LatheError('usage') for the first setting out of its range. */
export function checkSettings(settings: TrainSettings): void {
  const require = (fine: boolean, name: keyof TrainSettings, expected: string): void => {
    if (!fine) throw new LatheError('usage', `${name}: expected ${expected}, got ${JSON.stringify(settings[name])}`);
  };
  const positiveInteger = (value: number): boolean => Number.isSafeInteger(value) && value > 0;
  const wholeFromZero = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;
  require(positiveInteger(settings.epochs), 'epochs', 'a whole number above 0');
  require(positiveInteger(settings.batchSize), 'batchSize', 'a whole number above 0');
  require(positiveInteger(settings.accumulation), 'accumulation', 'a whole number above 0');
  require(settings.learningRate > 0 && Number.isFinite(settings.learningRate), 'learningRate', 'a number above 0');
  require(settings.warmup >= 0, 'warmup', '0 or more');
  require(settings.clipNorm >= 0, 'clipNorm', '0 or more');
  require(positiveInteger(settings.validationsPerEpoch), 'validationsPerEpoch', 'a whole number above 0');
  require(wholeFromZero(settings.patience), 'patience', 'a whole number, 0 or more');
  require(settings.timeBudgetSeconds >= 0, 'timeBudgetSeconds', '0 or more');
  require(settings.checkpointSeconds >= 0, 'checkpointSeconds', '0 or more');
  require(wholeFromZero(settings.threads), 'threads', 'a whole number, 0 or more');
  require(wholeFromZero(settings.seed), 'seed', 'a whole number, 0 or more');
}

/** Which of `names` a `*` pattern list covers. A pattern that covers nothing is an error, since it was meant to. */
export function matching(names: readonly string[], patterns: readonly string[], setting = 'freeze'): Set<string> {
  const found = new Set<string>();
  for (const pattern of patterns) {
    const expression = new RegExp(
      `^${pattern
        .split('*')
        .map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
        .join('.*')}$`,
    );
    const hits = names.filter((name) => expression.test(name));
    if (hits.length === 0) {
      throw new LatheError('usage', `${setting}: no parameter matches "${pattern}"`, {
        hint: `Parameters are named like ${names
          .slice(0, 3)
          .map((name) => `"${name}"`)
          .join(', ')}.`,
      });
    }
    for (const hit of hits) found.add(hit);
  }
  return found;
}
