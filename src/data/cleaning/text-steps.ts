import { isRowStep, type RowStepName, rowStep } from './row-steps.ts';
import type { CleaningStep } from './schema.ts';

/** Steps that change a text and nothing else: they must be repeated on every text that a trained model is given. */
const TEXT_STEPS = [
  'normalize-unicode',
  'collapse-whitespace',
  'strip-html',
  'lower-case',
  'replace',
  'truncate',
] as const satisfies readonly RowStepName[];

export type TextStep = Extract<CleaningStep, { step: (typeof TEXT_STEPS)[number] }>;

/** The steps of a list that change the text of column `text`, in order. */
export function textSteps(steps: readonly CleaningStep[], text: string): TextStep[] {
  return steps.filter(
    (step): step is TextStep =>
      (TEXT_STEPS as readonly string[]).includes(step.step) && ((step as TextStep).column ?? text) === text,
  );
}

/** One function of these steps. Throws 'usage' for a step whose settings make none. */
export function textCleaner(steps: readonly TextStep[]): (text: string) => string {
  const functions = steps
    .filter(isRowStep)
    .map((step) => rowStep({ ...step, column: 'text' }, { text: 'text', label: undefined }));
  return (text) => {
    let row: ReturnType<(typeof functions)[number]> = { text };
    for (const apply of functions) row = apply(row ?? { text: '' });
    return String(row?.text ?? '');
  };
}
