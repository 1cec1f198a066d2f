import { type DuplicateSearch, exactDuplicates, type LeakingPair, nearDuplicates } from '../duplicates.ts';
import type { Groups } from '../groups.ts';
import { nearDuplicateImages } from '../near-duplicate-images.ts';
import { type Column, excerptOf, type Row, textOf } from '../row.ts';
import { FINGERPRINT, SHA256 } from '../sources/image-columns.ts';
import { sqlFilter } from './filter.ts';
import { type CleaningColumns, isRowStep, rowStep } from './row-steps.ts';
import type { CleaningStep } from './schema.ts';

/** What a step did. Examples give rows by number. */
export interface StepTally {
  readonly step: CleaningStep;
  rowsIn: number;
  changed: number;
  dropped: number;
  /** Rows with the label and nearly the text of an earlier one that stay with it in one split. */
  grouped: number;
  /** Rows with (nearly) the same text and another label. */
  conflicts: number;
  readonly examples: StepExample[];
}

export interface StepExample {
  readonly row: number;
  readonly what: 'changed' | 'dropped' | 'grouped' | 'conflict';
  readonly before: string;
  readonly after?: string;
  /** The row that this one repeats or contradicts. */
  readonly other?: number;
  readonly similarity?: number;
}

export interface CleaningContext {
  readonly columns: CleaningColumns;
  /** Whether rows are of images. */
  readonly images: boolean;
  /** Whether copies of a text are looked for where no step asks for it: not where a text may stand in many rows. */
  readonly watchesCopies: boolean;
  readonly sourceColumns: readonly Column[];
  readonly together: Groups;
  readonly labelOf: (row: Row) => number;
  readonly splitOf: (row: Row) => number;
  /** Whether a row has what makes it comparable: a text, and a label where there are labels. */
  readonly isUsable: (row: Row) => boolean;
  readonly isKept: (row: number) => boolean;
  readonly drop: (row: number) => void;
}

/** Cleaning in progress: batches go in, in order, and come out with undefined for what was dropped. */
export interface CleaningRun {
  readonly steps: readonly StepTally[];
  clean(rows: readonly Row[], firstNumber: number): Promise<readonly (Row | undefined)[]>;
  leaks(): readonly LeakingPair[];
  /** Rows with the one that stands for each in the leaks, as {@link DuplicateSearch} has them. */
  copies(): readonly (readonly [row: number, of: number])[];
  /** Repetitions among the rows that are kept, where no step drops them. */
  readonly duplicatesKept: { exact: number; near: number; conflicts: number };
}

const EXAMPLES = 5;
type Apply = (rows: (Row | undefined)[], firstNumber: number, tally: StepTally) => void | Promise<void>;

export function startCleaning(steps: readonly CleaningStep[], context: CleaningContext): CleaningRun {
  const searches: DuplicateSearch[] = [];
  const stages = steps.map((step) => ({
    apply: compile(step, context, searches),
    tally: { step, rowsIn: 0, changed: 0, dropped: 0, grouped: 0, conflicts: 0, examples: [] } as StepTally,
  }));
  const duplicatesKept = { exact: 0, near: 0, conflicts: 0 };
  // Where no step drops duplicates, they are still looked for: copies must not be split apart.
  const has = (name: CleaningStep['step']): boolean => steps.some(({ step }) => step === name);
  const { together, isKept, images } = context;
  const watchers: { readonly count: 'exact' | 'near'; readonly column: string; readonly search: DuplicateSearch }[] =
    [];
  if (context.watchesCopies && !has('drop-exact-duplicates')) {
    watchers.push({
      count: 'exact',
      column: images ? SHA256 : context.columns.text,
      search: exactDuplicates(together),
    });
  }
  if (images) watchers.push({ count: 'near', column: FINGERPRINT, search: nearDuplicateImages(together, isKept) });
  else if (context.watchesCopies && !has('drop-near-duplicates') && !has('group-near-duplicates')) {
    const search = nearDuplicates(together, isKept, { keepAll: true });
    watchers.push({ count: 'near', column: context.columns.text, search });
  }
  searches.push(...watchers.map(({ search }) => search));
  const watch = (row: Row, number: number): void => {
    if (!context.isUsable(row)) return;
    const candidate = { row: number, label: context.labelOf(row), split: context.splitOf(row) };
    let repeats = false;
    let contradicts = false;
    for (const { count, column, search } of watchers) {
      const text = row[column];
      if (typeof text !== 'string') continue;
      const { kind } = search.check({ ...candidate, text });
      if (kind === 'duplicate' && !repeats) {
        duplicatesKept[count]++;
        repeats = true;
      }
      contradicts ||= kind === 'conflict';
    }
    if (contradicts) duplicatesKept.conflicts++;
  };
  return {
    steps: stages.map(({ tally }) => tally),
    duplicatesKept,
    async clean(rows, firstNumber) {
      const current: (Row | undefined)[] = [...rows];
      for (const { apply, tally } of stages) {
        for (const row of current) if (row !== undefined) tally.rowsIn++;
        await apply(current, firstNumber, tally);
      }
      if (watchers.length > 0) {
        for (const [index, row] of current.entries()) if (row !== undefined) watch(row, firstNumber + index);
      }
      return current;
    },
    leaks: () => searches.flatMap((search) => search.leaks),
    copies: () =>
      searches.flatMap(({ copies: { data, length } }) =>
        Array.from({ length: length / 2 }, (_, index) => [data[index * 2]!, data[index * 2 + 1]!] as const),
      ),
  };
}

function compile(step: CleaningStep, context: CleaningContext, searches: DuplicateSearch[]): Apply {
  if (isRowStep(step)) {
    const change = rowStep(step, context.columns);
    const shown =
      ('column' in step ? step.column : undefined) ?? (step.step === 'map-labels' ? context.columns.label : undefined);
    return (rows, firstNumber, tally) => {
      for (const [index, row] of rows.entries()) {
        if (row === undefined) continue;
        const changed = change(row);
        if (changed === row) continue;
        rows[index] = changed;
        note(tally, context, shown ?? context.columns.text, firstNumber + index, row, changed);
      }
    };
  }
  if (step.step === 'filter') {
    const filter = sqlFilter(step.sql, context.sourceColumns);
    return async (rows, firstNumber, tally) => {
      const present = rows.flatMap((row, index) => (row === undefined ? [] : [index]));
      const keeps = await filter.keeps(present.map((index) => rows[index]!));
      for (const [position, index] of present.entries()) {
        if (keeps[position]) continue;
        note(tally, context, context.columns.text, firstNumber + index, rows[index]!, undefined);
        rows[index] = undefined;
      }
    };
  }
  return duplicateStage(step, context, searches);
}

function duplicateStage(
  step: Extract<CleaningStep, { step: `${string}-duplicates` }>,
  context: CleaningContext,
  searches: DuplicateSearch[],
): Apply {
  const exact = step.step === 'drop-exact-duplicates';
  const drops = step.step !== 'group-near-duplicates';
  const search = exact
    ? exactDuplicates(context.together)
    : nearDuplicates(context.together, context.isKept, { ...step, keepAll: !drops });
  searches.push(search);
  const dropsConflicts = exact && step.conflicts === 'drop-all';
  const column = step.column ?? (context.images ? SHA256 : context.columns.text);
  return (rows, firstNumber, tally) => {
    for (const [index, row] of rows.entries()) {
      const text = row?.[column];
      if (row === undefined || typeof text !== 'string' || !/\S/.test(text) || !context.isUsable(row)) continue;
      const number = firstNumber + index;
      const verdict = search.check({ row: number, text, label: context.labelOf(row), split: context.splitOf(row) });
      if (verdict.kind === 'first') continue;
      const other = verdict.kind === 'duplicate' ? verdict.of : verdict.with;
      // A copy of a text that went because its labels differ goes as well.
      const goes = drops && (verdict.kind === 'duplicate' || exact);
      if (verdict.kind === 'conflict') tally.conflicts++;
      if (verdict.kind === 'conflict' && dropsConflicts && context.isKept(other)) {
        context.drop(other);
        tally.dropped++;
      }
      if (goes) {
        context.drop(number);
        tally.dropped++;
        rows[index] = undefined;
      } else if (verdict.kind === 'duplicate') tally.grouped++;
      if (tally.examples.length < EXAMPLES) {
        tally.examples.push({
          row: number,
          what: verdict.kind === 'conflict' ? 'conflict' : goes ? 'dropped' : 'grouped',
          before: excerptOf(context.images ? String(row[context.columns.text]) : text, 100),
          other,
          similarity: verdict.similarity,
        });
      }
    }
  };
}

function note(
  tally: StepTally,
  context: CleaningContext,
  column: string,
  number: number,
  before: Row,
  after: Row | undefined,
): void {
  if (after === undefined) {
    context.drop(number);
    tally.dropped++;
  } else tally.changed++;
  if (tally.examples.length >= EXAMPLES) return;
  const old = textOf(before[column]) ?? '';
  const fresh = after === undefined ? undefined : (textOf(after[column]) ?? '');
  if (fresh === old) return;
  const from = fresh === undefined ? 0 : Math.max(0, firstDifference(old, fresh) - 20);
  tally.examples.push({
    row: number,
    what: after === undefined ? 'dropped' : 'changed',
    before: excerptOf(old.slice(from), 100),
    ...(fresh !== undefined && { after: excerptOf(fresh.slice(from), 100) }),
  });
}

function firstDifference(left: string, right: string): number {
  let index = 0;
  while (index < left.length && left[index] === right[index]) index++;
  return index;
}
