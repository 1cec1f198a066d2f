import { growing } from '../growing.ts';
import { hashIndex, hashText } from '../hash-index.ts';
import { textOf, type Value } from '../row.ts';

/** What a column other than the text looks like. */
export interface ColumnProfile {
  readonly name: string;
  readonly missing: number;
  readonly distinct: number;
  /** The commonest kind of its values. */
  readonly type: 'text' | 'number' | 'boolean' | 'list or object' | 'empty';
  readonly example: string;
  readonly findings: readonly ('constant' | 'unique' | 'predicts-label')[];
}

export interface ColumnProfiler {
  add(value: Value | undefined, label: number): void;
  finish(): ColumnProfile;
}

/** Rows a value from which on a column may count as predicting: of rare values each stands under one label anyway. */
const FEWEST_ROWS_A_VALUE = 10;

/** Rows from which on a column counts as unique or as predicting: fewer are so by chance. */
const FEWEST_ROWS = 20;

export function profileColumn(name: string, example = 60): ColumnProfiler {
  const values = hashIndex();
  const labels = growing(Int32Array);
  const types = new Map<ColumnProfile['type'], number>();
  let firstLabel: number | undefined;
  let severalLabels = false;
  let predicts = true;
  let present = 0;
  let missing = 0;
  let shown = '';
  return {
    add(value, label) {
      if (value === undefined || value === null || value === '') {
        missing++;
        return;
      }
      const text = textOf(value) ?? JSON.stringify(value);
      if (present === 0) shown = text.slice(0, example);
      present++;
      const type = typeof value === 'string' ? 'text' : typeof value === 'object' ? 'list or object' : typeof value;
      types.set(type as ColumnProfile['type'], (types.get(type as ColumnProfile['type']) ?? 0) + 1);
      firstLabel ??= label;
      severalLabels ||= label !== firstLabel;
      const known = values.add(hashText(text), labels.length);
      if (known === undefined) labels.push(label);
      else if (labels.data[known] !== label) predicts = false;
    },
    finish() {
      const distinct = values.size;
      const findings: ColumnProfile['findings'][number][] = [];
      if (present >= FEWEST_ROWS) {
        if (distinct === 1) findings.push('constant');
        if (distinct === present) findings.push('unique');
        if (predicts && severalLabels && distinct > 1 && distinct * FEWEST_ROWS_A_VALUE <= present)
          findings.push('predicts-label');
      }
      const [type] = [...types].sort((left, right) => right[1] - left[1])[0] ?? ['empty' as const];
      return { name, missing, distinct, type, example: shown, findings };
    },
  };
}
