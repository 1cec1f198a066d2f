import { LatheError } from '../base/index.ts';
import type { TaskReport } from '../metrics/index.ts';
import { type Example, openPipeline, type Package, type Pipeline } from '../pipeline/index.ts';
import type { TrainableTask } from '../train/index.ts';
import { type BaselineComparison, headlineOf, isLowerBetter } from '../train/report/index.ts';
import { formatBytes } from '../zoo/index.ts';
import { type Evaluated, evaluate } from './evaluation.ts';
import { recommend } from './recommendation.ts';
import type { Terminal } from './terminal.ts';

/** One of several packages that were measured on the same examples. */
export interface ComparedPackage {
  /** The folder, with the variant behind a colon where it is not fp32. */
  readonly package: string;
  readonly variant: string;
  readonly report: TaskReport;
  readonly parameters: number;
  readonly bytes: number;
  /** Of one example at a time, its processing included. */
  readonly latencyMs: { readonly p50: number; readonly p95: number; readonly p99: number };
  /** The best package's metric minus this one's, on the same examples. */
  readonly behindBest?: BaselineComparison;
}

export interface Comparison {
  readonly metric: string;
  readonly packages: readonly ComparedPackage[];
  readonly best: string;
  readonly recommended: string;
  readonly reason: string;
}

export interface ComparisonOptions {
  /** Of all packages, or one for each. */
  readonly variant: string | readonly string[];
  /** Examples went through the packages' text steps already. */
  readonly prepared: boolean;
  /** Examples whose answers are timed, one by one. */
  readonly timed: number;
  readonly where: (example: number) => string;
}

/** Examples that are answered first, so that what is timed is what a running service does. */
const WARM_UP = 5;

/** Measures packages of one task on the same examples. Throws 'usage' for packages of other tasks or labels than the first. */
export async function comparePackages(
  task: TrainableTask,
  packages: readonly Package[],
  examples: readonly Example[],
  options: ComparisonOptions,
  terminal: Terminal,
): Promise<Comparison> {
  refuseOthers(packages);
  const { positive } = packages[0]!.manifest;
  const variants = packages.map((_, at) =>
    typeof options.variant === 'string' ? options.variant : options.variant[at]!,
  );
  const names = packages.map(({ folder }, at) => nameOf(folder, variants[at]!));
  const evaluated: Evaluated[] = [];
  const pipelines: Pipeline[] = [];
  try {
    for (const [at, opened] of packages.entries()) {
      const progress = terminal.progress(`evaluating ${names[at]}`);
      // Threads that wait in a loop would take the processor from the model whose turn is next.
      const pipeline = await openPipeline(opened, { variant: variants[at]!, session: { spinning: false } });
      pipelines.push(pipeline);
      evaluated.push(
        await evaluate(task, pipeline, examples, {
          positive,
          prepared: options.prepared,
          where: options.where,
          signal: terminal.signal,
          onProgress: (done, total) => progress.update(done, total),
        }),
      );
      progress.done();
    }
    const latencies = await timeAnswers(pipelines, examples.slice(0, options.timed), options.prepared, terminal);
    const places = packages.map((opened, at) => ({ opened, name: names[at]!, variant: variants[at]! }));
    return compared(task, places, evaluated, latencies);
  } finally {
    for (const pipeline of pipelines) await pipeline.close();
  }
}

/** What a variant of a package is called among others. */
function nameOf(folder: string, variant: string): string {
  return variant === 'fp32' ? folder : `${folder}:${variant}`;
}

interface Place {
  readonly opened: Package;
  readonly name: string;
  readonly variant: string;
}

function compared(
  task: TrainableTask,
  places: readonly Place[],
  evaluated: readonly Evaluated[],
  latencies: readonly ComparedPackage['latencyMs'][],
): Comparison {
  const headlines = evaluated.map(({ report }) => headlineOf(report));
  const { metric, name } = headlines[0]!;
  const sign = isLowerBetter(metric) ? -1 : 1;
  const values = headlines.map(({ value }) => (Number.isFinite(value) ? sign * value : Number.NEGATIVE_INFINITY));
  const best = values.indexOf(Math.max(...values));
  const measured = places.map(({ opened, name: own, variant }, at): ComparedPackage => {
    const { parameters, bytes } = opened.manifest.variants[variant]!;
    const behindBest = at === best ? undefined : task.compare?.(evaluated[best]!, evaluated[at]!, 0);
    const { report } = evaluated[at]!;
    return {
      package: own,
      variant,
      report,
      parameters,
      bytes,
      latencyMs: latencies[at]!,
      ...(behindBest && { behindBest }),
    };
  });
  const { recommended, reason } = recommend(
    measured.map(({ package: folder, bytes, latencyMs }, at) => ({
      name: folder,
      value: headlines[at]!.value,
      p50Ms: latencyMs.p50,
      bytes,
    })),
    best,
    measured.map(({ behindBest }) => behindBest?.bootstrap),
    name,
  );
  return {
    metric,
    packages: measured,
    best: places[best]!.name,
    recommended: places[recommended]!.name,
    reason,
  };
}

/** Packages take turns, so that what else the machine does falls on all of them. */
async function timeAnswers(
  pipelines: readonly Pipeline[],
  examples: readonly Example[],
  prepared: boolean,
  terminal: Terminal,
): Promise<ComparedPackage['latencyMs'][]> {
  const progress = terminal.progress('timing answers');
  const answer = (pipeline: Pipeline, { label: _, ...example }: Example) =>
    pipeline.read([example as Example], { prepared, signal: terminal.signal });
  for (const pipeline of pipelines) {
    for (let run = 0; run < WARM_UP; run++) await answer(pipeline, examples[run % examples.length]!);
  }
  const times: number[][] = pipelines.map(() => []);
  for (const [done, example] of examples.entries()) {
    for (const [at, pipeline] of pipelines.entries()) {
      const started = performance.now();
      await answer(pipeline, example);
      times[at]!.push(performance.now() - started);
    }
    progress.update(done + 1, examples.length);
  }
  progress.done();
  return times.map((own) => {
    own.sort((one, other) => one - other);
    const at = (share: number): number => own[Math.min(own.length - 1, Math.floor(share * own.length))]!;
    return { p50: at(0.5), p95: at(0.95), p99: at(0.99) };
  });
}

function refuseOthers(packages: readonly Package[]): void {
  const [first, ...others] = packages;
  for (const { folder, manifest } of others) {
    for (const field of ['task', 'labels'] as const) {
      const [one, other] = [first!.manifest[field], manifest[field]].map((value) => String(value));
      if (one === other) continue;
      const what = field === 'task' ? 'is for' : 'has the labels';
      throw new LatheError(
        'usage',
        `"${folder}" ${what} ${other}, "${first!.folder}" ${what} ${one}: they have no common answers to compare`,
      );
    }
  }
}

/** The table of a comparison, and what follows from it. */
export function showComparison({ metric, packages, reason }: Comparison, terminal: Terminal): void {
  const { name } = headlineOf(packages[0]!.report);
  terminal.table(
    ['package', name, '95 % interval', 'behind the best', 'p', 'parameters', 'size', 'answer (p50)'],
    packages.map(({ package: folder, report, parameters, bytes, latencyMs, behindBest }) => {
      const interval = report.intervals?.[metric];
      const behind = behindBest?.bootstrap;
      return [
        folder,
        (report.metrics[metric] ?? Number.NaN).toFixed(4),
        interval === undefined ? '–' : `${interval.low.toFixed(4)} to ${interval.high.toFixed(4)}`,
        behind === undefined ? '–' : behind.difference.toFixed(4),
        behind === undefined ? '–' : behind.pValue < 0.001 ? '<0.001' : behind.pValue.toFixed(3),
        parameters.toLocaleString('en'),
        formatBytes(bytes),
        `${latencyMs.p50.toFixed(latencyMs.p50 < 10 ? 2 : 1)} ms`,
      ];
    }),
  );
  terminal.say(`\nRecommended: ${reason}`);
}
