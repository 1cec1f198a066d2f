import { LatheError } from '../base/index.ts';
import {
  type CleaningStepInput,
  datasetFromFile,
  holdsImages,
  isPrepared,
  openDataset,
  type PreparedDataset,
  type PrepareOptions,
  sourceOf,
  statOf,
  TARGETS,
  type Target,
  type TargetKind,
} from '../data/index.ts';
import { TASK_NAMES, TASKS, type Task, type TaskName } from '../pipeline/index.ts';

/** What a user says about data for a task; what is left out is the task's usual. */
export interface TaskDataOptions {
  readonly text?: string | undefined;
  readonly textPair?: string | undefined;
  readonly label?: string | undefined;
  readonly labelSeparator?: string | undefined;
  readonly target?: TargetKind | undefined;
}

/** The task that is asked for, or that the data are for. */
export async function taskOf(
  asked: TaskName | undefined,
  data: string,
  given: { readonly target?: TargetKind | undefined; readonly labelSeparator?: string | undefined },
  facts: PreparedDataset['facts'] | undefined,
): Promise<TaskName> {
  if (asked !== undefined && asked !== 'text-classification') return asked;
  if (given.target !== undefined && given.target !== 'class') {
    return TASK_NAMES.find((name) => targetsOf(TASKS[name]).includes(given.target!))!;
  }
  if (facts === undefined && asked === undefined && sourceOf([data]).kind === 'conll') return 'token-classification';
  if (given.labelSeparator !== undefined) return 'multi-label-classification';
  if (facts?.columns.image !== undefined || (facts === undefined && (await isImageFolder(data)))) {
    if (asked !== undefined) throw new LatheError('usage', `"${data}" holds images, ${asked} needs texts`);
    return 'image-classification';
  }
  if (facts === undefined || asked !== undefined) return 'text-classification';
  if (facts.target === 'none') {
    throw new LatheError('invalid-data', `"${data}" has no label column`, {
      hint: 'Prepare the data again with --label COLUMN, or name a --task that needs no labels.',
    });
  }
  const { target } = facts;
  return TASK_NAMES.find((name) => targetsOf(TASKS[name]).includes(target) && TASKS[name].columns.text !== undefined)!;
}

async function isImageFolder(data: string): Promise<boolean> {
  return statOf(data)?.isDirectory() === true && (await holdsImages(data));
}

/** What the label column of a task's data may hold. */
function targetsOf(task: Task): readonly (TargetKind | 'none')[] {
  return [task.target, ...(task.otherTargets ?? [])];
}

/** Opens prepared data and checks that they are for the task. */
export async function openPrepared(data: string, task: Task): Promise<PreparedDataset> {
  const dataset = await openDataset(data);
  const { target, columns } = dataset.facts;
  if ((columns.image === undefined) !== (task.columns.image === undefined)) {
    const [held, needed] = columns.image === undefined ? ['texts', 'images'] : ['images', 'texts'];
    throw new LatheError('usage', `"${data}" holds ${held}, ${task.name} needs ${needed}`);
  }
  if (task.target !== 'none' && !targetsOf(task).includes(target)) {
    throw new LatheError(
      'usage',
      `"${data}" holds ${target === 'none' ? 'no labels' : `labels of the kind "${target}"`}, ${task.name} needs "${task.target}"`,
      { hint: `Prepare the data again with --target ${task.target}.` },
    );
  }
  if (task.columns.textPair !== undefined && columns.textPair === undefined) {
    throw new LatheError('usage', `"${data}" has no second text, ${task.name} needs one`, {
      hint: 'Prepare the data again with --text-pair COLUMN.',
    });
  }
  return dataset;
}

/** Opens what a user names as data: a folder of prepared data, or a file that is prepared as the task wants it. */
export async function openTaskData(
  data: string,
  task: Task,
  options: TaskDataOptions,
  more: Partial<PrepareOptions>,
): Promise<PreparedDataset> {
  if (isPrepared(data)) return openPrepared(data, task);
  const textPair = options.textPair ?? task.columns.textPair;
  const target = task.target === 'none' || options.target === undefined ? task.target : options.target;
  const usual = {
    ...task.columns,
    ...(target !== task.target && target !== 'none' && (TARGETS[target] as Target).columns),
  };
  return datasetFromFile({
    source: sourceOf([data]),
    text: task.columns.image === undefined ? (options.text ?? usual.text) : undefined,
    textPair,
    label: task.target === 'none' ? false : (options.label ?? usual.label),
    ...(target !== 'none' && { target }),
    labelSeparator: options.labelSeparator,
    cleaning: cleaningFor(task, textPair),
    ...more,
  });
}

/** The cleaning that a task's data can bear where nothing else is asked for. */
function cleaningFor(task: Task, textPair: string | undefined): readonly CleaningStepInput[] | undefined {
  // Words and places belong to the text as it stands.
  if (task.target !== 'none' && (TARGETS[task.target] as Target).placed) return [];
  // A text may stand in many pairs: it is no duplicate.
  if (textPair !== undefined) return [{ step: 'normalize-unicode' }, { step: 'normalize-unicode', column: textPair }];
  return undefined;
}
