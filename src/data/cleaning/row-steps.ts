import { LatheError } from '../../base/index.ts';
import { htmlToText } from '../html-to-text.ts';
import { type Row, textOf, type Value } from '../row.ts';
import type { CleaningStep, CleaningStepName } from './schema.ts';

/** Steps that look at one row at a time, without a database. */
export type RowStepName = Exclude<
  CleaningStepName,
  'filter' | 'drop-exact-duplicates' | 'drop-near-duplicates' | 'group-near-duplicates'
>;

/** The columns that steps work on when they name none. */
export interface CleaningColumns {
  readonly text: string;
  readonly label: string | undefined;
}

/** The row itself when nothing changes, a new one, or undefined for a row to drop. */
export type RowStep = (row: Row) => Row | undefined;

type StepOf<Name extends CleaningStepName> = Extract<CleaningStep, { step: Name }>;

const ROW_STEPS: { readonly [Name in RowStepName]: (step: StepOf<Name>, columns: CleaningColumns) => RowStep } = {
  'normalize-unicode': (step, columns) =>
    onText(step.column ?? columns.text, (text) => withoutControls(text).normalize(step.form)),
  'collapse-whitespace': (step, columns) =>
    onText(step.column ?? columns.text, step.lines ? collapseWithinLines : (text) => text.replace(/\s+/g, ' ').trim()),
  'strip-html': (step, columns) => onText(step.column ?? columns.text, htmlToText),
  'lower-case': (step, columns) => onText(step.column ?? columns.text, (text) => text.toLowerCase()),
  replace: (step, columns) => {
    const pattern = regularExpression(step.pattern);
    return onText(step.column ?? columns.text, (text) => text.replace(pattern, step.with));
  },
  truncate: (step, columns) => onText(step.column ?? columns.text, (text) => truncate(text, step.characters)),
  'drop-empty': (step, columns) => keepWhen(step.column ?? columns.text, (text) => /\S/.test(text), false),
  'drop-short': (step, columns) =>
    keepWhen(step.column ?? columns.text, (text) => lengthIn(step.unit, text) >= step.min, false),
  'drop-long': (step, columns) =>
    keepWhen(step.column ?? columns.text, (text) => lengthIn(step.unit, text) <= step.max, true),
  'map-labels': (step, columns) => {
    const column = step.column ?? columns.label;
    if (column === undefined) throw new LatheError('usage', 'map-labels: there is no label column to map');
    const lookUp = labelMap(step.map);
    return (row) => {
      const label = textOf(row[column]);
      if (label === undefined) return row;
      const mapped = lookUp(label);
      if (mapped !== undefined) return mapped === row[column] ? row : { ...row, [column]: mapped };
      if (step.others === 'keep') return row;
      if (step.others === 'drop') return undefined;
      throw new LatheError('invalid-data', `map-labels: label ${JSON.stringify(label)} is not in the map`, {
        hint: `The map has ${Object.keys(step.map).join(', ')}. Add the label, or set others: drop or keep.`,
      });
    };
  },
  rename: (step) => (row) => {
    if (!Object.hasOwn(row, step.from)) return row;
    return Object.fromEntries(
      Object.entries(row)
        .filter(([name]) => name !== step.to)
        .map(([name, value]): [string, Value] => [name === step.from ? step.to : name, value]),
    );
  },
  'keep-columns': (step) => {
    const kept = new Set(step.columns);
    return (row) => {
      const entries = Object.entries(row);
      const left = entries.filter(([name]) => kept.has(name));
      return left.length === entries.length ? row : Object.fromEntries(left);
    };
  },
};

export function isRowStep(step: CleaningStep): step is Extract<CleaningStep, { step: RowStepName }> {
  return Object.hasOwn(ROW_STEPS, step.step);
}

/** The function of a step. Throws `usage` when its settings make none, a broken pattern for one. */
export function rowStep(step: Extract<CleaningStep, { step: RowStepName }>, columns: CleaningColumns): RowStep {
  const make = ROW_STEPS[step.step] as (step: CleaningStep, columns: CleaningColumns) => RowStep;
  return make(step, columns);
}

function onText(column: string, change: (text: string) => string): RowStep {
  return (row) => {
    const text = row[column];
    if (typeof text !== 'string') return row;
    const changed = change(text);
    return changed === text ? row : { ...row, [column]: changed };
  };
}

/** Cells that hold no text count as empty: a step for short texts drops them, one for long texts keeps them. */
function keepWhen(column: string, wanted: (text: string) => boolean, withoutText: boolean): RowStep {
  return (row) => {
    const text = textOf(row[column]);
    return (text === undefined ? withoutText : wanted(text)) ? row : undefined;
  };
}

function labelMap(map: Readonly<Record<string, string>>): (label: string) => string | undefined {
  const patterns = Object.entries(map)
    .filter(([name]) => name.includes('*'))
    .map(([name, label]) => {
      const source = name.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*');
      return { pattern: new RegExp(`^${source}$`, 'su'), label };
    });
  return (label) =>
    Object.hasOwn(map, label) ? map[label] : patterns.find(({ pattern }) => pattern.test(label))?.label;
}

function regularExpression(pattern: string): RegExp {
  try {
    return new RegExp(pattern, 'gu');
  } catch (cause) {
    throw new LatheError('usage', `replace: ${(cause as Error).message}`, { cause });
  }
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this removes
const CONTROLS = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f\ufeff]/g;
const LONE_SURROGATES = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

function withoutControls(text: string): string {
  return text.replace(/\r\n?/g, '\n').replace(CONTROLS, '').replace(LONE_SURROGATES, '\ufffd');
}

function collapseWithinLines(text: string): string {
  return text
    .replace(/[^\S\n]+/g, ' ')
    .replace(/ ?\n ?/g, '\n')
    .replace(/\n{3,}/g, '\n\n')
    .trim();
}

/** The first `characters` code units, one fewer where that would cut a surrogate pair. */
function truncate(text: string, characters: number): string {
  if (text.length <= characters) return text;
  const last = text.charCodeAt(characters - 1);
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? characters - 1 : characters);
}

function lengthIn(unit: 'characters' | 'words', text: string): number {
  return unit === 'characters' ? text.length : countWords(text);
}

/** Runs of anything but white space. */
export function countWords(text: string): number {
  let words = 0;
  for (const _ of text.matchAll(/\S+/g)) words++;
  return words;
}
