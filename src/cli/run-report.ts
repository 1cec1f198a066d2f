import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomically } from '../base/atomic-write.ts';
import { jsonText } from '../base/index.ts';
import { type Details, TensorBoardWriter } from '../train/index.ts';
import {
  type BaselineComparison,
  type History,
  plotsOfRun,
  type RunReportData,
  renderRunReport,
  standaloneSvg,
} from '../train/report/index.ts';
import type { Evaluated } from './evaluation.ts';
import { withPictures } from './pictured-mistakes.ts';
import { settingsRecord } from './settings-record.ts';
import { recordedName } from './start/model-files.ts';
import type { TrainedCandidate } from './train-candidate.ts';
import type { TrainPlan } from './train-plan.ts';
import { versions } from './versions.ts';

export interface RunFacts {
  readonly plan: TrainPlan;
  readonly evaluated: Evaluated;
  readonly trained: TrainedCandidate;
  readonly parameters: number;
  readonly bytes: number;
  readonly baseline?: { readonly evaluated: Evaluated; readonly comparison?: BaselineComparison };
}

/** Writes run.json, report.html, plots/*.svg and TensorBoard's events into the folder of the run; gives the path of the report. */
export async function writeRunReport(facts: RunFacts, details: Details): Promise<string> {
  const { plan, evaluated } = facts;
  const { settings } = facts.trained;
  const data = await reportData(facts, await withPictures(details, evaluated.examples));
  const path = join(plan.runFolder, 'report.html');
  await writeFileAtomically(path, renderRunReport(data));
  await mkdir(join(plan.runFolder, 'plots'), { recursive: true });
  for (const [name, plot] of Object.entries(plotsOfRun(data))) {
    await writeFileAtomically(join(plan.runFolder, 'plots', `${name}.svg`), standaloneSvg(plot));
  }
  if (data.history !== undefined) await writeEvents(join(plan.runFolder, 'tensorboard'), data.history);
  await writeFileAtomically(
    join(plan.runFolder, 'run.json'),
    jsonText({
      task: plan.task.task.name,
      ...(plan.model === undefined ? { arch: plan.arch } : { model: recordedName(plan.model) }),
      settings,
      dataHash: plan.dataset.facts.contentHash,
      versions: versions(),
      command: plan.command,
      package: plan.out,
      evaluation: evaluated.report,
      ...(facts.baseline && {
        baseline: { evaluation: facts.baseline.evaluated.report, comparison: facts.baseline.comparison },
      }),
    }),
  );
  return path;
}

/** The curves for TensorBoard, in place of those of an earlier sitting. */
async function writeEvents(folder: string, { training, validation = [] }: History): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const now = Date.now();
  const writer = await TensorBoardWriter.create(folder, now);
  for (const { step, loss, learningRate } of training) {
    const rate = learningRate === undefined ? [] : [{ tag: 'train/learning_rate', value: learningRate }];
    await writer.write(step, [{ tag: 'train/loss', value: loss }, ...rate], now);
  }
  for (const { step, loss, metrics } of validation) {
    const scalars = Object.entries({ ...(loss !== undefined && { loss }), ...metrics });
    await writer.write(
      step,
      scalars.map(([name, value]) => ({ tag: `validation/${name}`, value })),
      now,
    );
  }
  await writer.close();
}

async function reportData(facts: RunFacts, { mistakes, ...details }: Details): Promise<RunReportData> {
  const { plan, evaluated, trained, baseline } = facts;
  const { facts: data } = plan.dataset;
  const { labels } = data;
  const splits = ['train', 'validation', 'test'] as const;
  return {
    title: plan.out,
    task: plan.task.task.name,
    model: plan.model === undefined ? plan.arch : recordedName(plan.model),
    finishedAt: new Date().toISOString(),
    evaluation: {
      split: 'test',
      report: evaluated.report,
      ...details,
    },
    ...(baseline && {
      baseline: {
        name: 'linear',
        report: baseline.evaluated.report,
        examplesPerSecond: baseline.evaluated.examplesPerSecond,
        ...(baseline.comparison && { comparison: baseline.comparison }),
      },
    }),
    size: { parameters: facts.parameters, bytes: facts.bytes },
    history: await historyOf(trained),
    ...(mistakes && { mistakes }),
    settings: settingsRecord(plan, trained.settings),
    data: {
      source: plan.source,
      hash: data.contentHash,
      splits: splits.map((name) => ({ name, examples: data.splits[name] })),
      labels: labels.map((label) => ({ label, counts: splits.map((name) => data.labelCounts[label]![name]) })),
      dropped: data.cleaning
        .filter(({ dropped }) => dropped > 0)
        .map(({ step, dropped }) => ({ reason: step.step, rows: dropped })),
      paddingShare: trained.paddingShare,
      truncatedShare: trained.truncatedShare,
    },
    speed: {
      trainingSeconds: trained.seconds,
      examplesPerSecond: trained.examplesPerSecond,
      tokensPerSecond: trained.tokensPerSecond,
      predictionsPerSecond: evaluated.examplesPerSecond,
    },
    environment: versions(),
    command: plan.command,
    nextSteps: [
      { text: 'Use it', command: `lathe predict ${plan.out} "…"` },
      {
        text: 'Measure it on other data',
        command: `lathe evaluate ${plan.out} --data FILE`,
      },
    ],
    notes: [
      ...(baseline
        ? [`The linear baseline (TF-IDF, logistic regression) reads the same ${plan.maxLength} tokens of a text.`]
        : []),
      ...(trained.stopped === 'finished' ? [] : [`Training ended by ${trained.stopped}.`]),
    ],
  };
}

interface LogLine {
  readonly kind: 'step' | 'validation';
  readonly step: number;
  readonly epoch: number;
  readonly loss: number;
  readonly learningRate?: number;
  readonly [metric: string]: unknown;
}

/** The curves, from metrics.jsonl: also those of the sittings before this one. */
async function historyOf(trained: TrainedCandidate): Promise<History> {
  const text = await readFile(join(trained.runFolder, 'metrics.jsonl'), 'utf8');
  const lines = text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as LogLine);
  return {
    training: lines
      .filter(({ kind }) => kind === 'step')
      .map(({ step, loss, learningRate }) => ({ step, loss, ...(learningRate !== undefined && { learningRate }) })),
    validation: lines
      .filter(({ kind }) => kind === 'validation')
      .map(({ kind: _kind, step, epoch: _epoch, loss, ...metrics }) => ({
        step,
        loss,
        metrics: Object.fromEntries(
          Object.entries(metrics).filter((entry): entry is [string, number] => typeof entry[1] === 'number'),
        ),
      })),
    ...(trained.bestStep !== undefined && { bestStep: trained.bestStep }),
    stepsPerEpoch: trained.stepsPerEpoch,
  };
}
