import { type Row, textOf, type Value } from './row.ts';

/** What the cells of a label column hold, and so what can be learned from them. */
export interface Target {
  /** Why a cell cannot be used beside this text; undefined when it can. */
  readonly problem: (label: Value, text: Value) => string | undefined;
  /** The class names in a cell: they become the labels of the data. */
  readonly names: (label: Value) => readonly string[];
  /** Whether texts are lists of words. */
  readonly words?: boolean;
  /** The usual names of its columns. Default: `text` and `label`. */
  readonly columns?: { readonly text: string; readonly textPair?: string; readonly label: string };
  /** Labels speak of places in the text, which cleaning must leave as it is. */
  readonly placed?: boolean;
  /** Rows with the same second text stay in one split, where nothing else groups them. */
  readonly groupsPairs?: boolean;
  /** A cell in the form that labels have from here on. `text` is what it speaks of. */
  readonly read?: (label: Value, row: Row, text: Value | undefined) => Value;
}

const none = (): readonly string[] => [];
const one = (label: Value): string | undefined => (textOf(label) === undefined ? `is ${kindOf(label)}` : undefined);

/** By the name that `--target` takes. */
export const TARGETS = {
  /** One class name. */
  class: { problem: one, names: (label) => [textOf(label)!] },
  /** Any number of class names: a list, or a text that a separator divides (see {@link separated}). */
  classes: { problem: namesProblem, names: (label) => label as readonly string[] },
  /** A number to predict. */
  number: { problem: one, names: none },
  /** A class name for each word of a text that is a list of words. */
  tags: {
    words: true,
    placed: true,
    columns: { text: 'tokens', label: 'tags' },
    problem: (label, text) =>
      namesProblem(label) ??
      ((label as readonly string[]).length === (text as readonly Value[]).length
        ? undefined
        : `has ${(label as readonly string[]).length} tags for ${(text as readonly Value[]).length} words`),
    names: (label) => label as readonly string[],
  },
  /** The places of entities in a text: `[{"start": …, "end": …, "label": …}]`, in UTF-16 units (what JavaScript's `slice` takes). */
  spans: {
    placed: true,
    columns: { text: 'text', label: 'entities' },
    problem: spansProblem,
    names: (label) => [
      'O',
      ...(label as unknown as readonly Span[]).flatMap((span) => [`B-${span.label}`, `I-${span.label}`]),
    ],
  },
  /** The places of answers in a text, as SQuAD has them: `{"text": […], "answer_start": […]}`; lists without an answer say that there is none. */
  answers: {
    placed: true,
    groupsPairs: true,
    columns: { text: 'question', textPair: 'context', label: 'answers' },
    read: answersOf,
    problem: answersProblem,
    names: none,
  },
} as const satisfies Readonly<Record<string, Target>>;
export type TargetKind = keyof typeof TARGETS;

export const TARGET_KINDS = Object.keys(TARGETS) as readonly TargetKind[];

/** The class names of a cell as a list: a text is divided at `separator`; an empty text has none. */
export function separated(label: Value, separator: string): Value {
  if (Array.isArray(label)) return label;
  const text = textOf(label);
  if (text === undefined) return label;
  return text
    .split(separator)
    .map((name) => name.trim())
    .filter((name) => name !== '');
}

export function kindOf(value: Value): string {
  if (value === null) return 'nothing';
  if (typeof value === 'object') return Array.isArray(value) ? 'a list' : 'an object';
  return typeof value === 'number' ? 'a number' : typeof value === 'string' ? 'text' : 'true or false';
}

function namesProblem(label: Value): string | undefined {
  if (!Array.isArray(label)) return `is ${kindOf(label)}, not a list`;
  const wrong = label.find((name) => typeof name !== 'string' || name === '');
  return wrong === undefined ? undefined : `has ${wrong === '' ? 'an empty name' : kindOf(wrong)} among its names`;
}

/** A stretch [start, end) of a text that has a name. */
export interface Span {
  readonly start: number;
  readonly end: number;
  readonly label: string;
}

function spansProblem(label: Value, text: Value): string | undefined {
  if (!Array.isArray(label)) return `is ${kindOf(label)}, not a list`;
  const whole = textOf(text) ?? '';
  for (const span of label as readonly ({ readonly [key: string]: Value } | null)[]) {
    const { start, end, label: name, text: words } = typeof span === 'object' && span !== null ? span : {};
    if (!Number.isInteger(start) || !Number.isInteger(end) || typeof name !== 'string' || name === '') {
      return 'has something else than {"start": …, "end": …, "label": …} in its list';
    }
    const [from, to] = [start as number, end as number];
    if (!(from >= 0 && from < to && to <= whole.length)) {
      return `has an entity from ${from} to ${to} in a text of ${whole.length} UTF-16 units`;
    }
    if (typeof words === 'string' && words !== whole.slice(from, to)) {
      return `says that ${JSON.stringify(words)} is at ${from}, where ${JSON.stringify(whole.slice(from, to))} is`;
    }
  }
  return undefined;
}

/** Answers in a text: the places are in UTF-16 units. */
export interface Answers {
  readonly text: readonly string[];
  readonly answer_start: readonly number[];
}

/**
 * Answers in the form of {@link Answers}: from lists, from SQuAD's list of objects, or from a text alone, whose place is the
 * column `answer_start` (or `start`), else where the text has it first. An empty cell says that there is no answer. Places
 * that are right in code points, as Python counts, become UTF-16 units.
 */
function answersOf(label: Value, row: Row, text: Value | undefined): Value {
  const context = textOf(text) ?? '';
  const place = (answer: Value | undefined, start: Value | undefined): readonly [Value, Value] => {
    const words = textOf(answer) ?? '';
    if (start === undefined || start === null || start === '') return [words, context.indexOf(words)];
    const given = Number(start);
    if (context.startsWith(words, given)) return [words, given];
    const units = Array.from(context).slice(0, given).join('').length;
    return [words, context.startsWith(words, units) ? units : given];
  };
  const pairs = answerCells(label, row);
  if (pairs === undefined) return label;
  const placed = pairs.map(([answer, start]) => place(answer, start));
  return { text: placed.map(([answer]) => answer), answer_start: placed.map(([, start]) => start) };
}

/** Answers with their places as they stand; undefined for a cell of another form. */
function answerCells(label: Value, row: Row): readonly (readonly [Value | undefined, Value | undefined])[] | undefined {
  if (label === null || label === '') return [];
  if (typeof label === 'string') return [[label, row.answer_start ?? row.start]];
  if (typeof label !== 'object') return undefined;
  if (Array.isArray(label)) {
    const cells = label.map((one: Value) =>
      typeof one === 'object' && one !== null && !Array.isArray(one) ? one : undefined,
    );
    if (cells.some((cell) => cell === undefined)) return undefined;
    return (cells as readonly Readonly<Record<string, Value>>[]).map((cell) => [
      cell.text,
      cell.answer_start ?? cell.start,
    ]);
  }
  const { text: texts, answer_start: starts } = label as Readonly<Record<string, Value>>;
  if (typeof texts === 'string') return [[texts, starts]];
  if (!Array.isArray(texts) || !Array.isArray(starts) || texts.length !== starts.length) return undefined;
  return texts.map((answer: Value, index: number) => [answer, starts[index]] as const);
}

function answersProblem(label: Value, text: Value): string | undefined {
  const { text: texts, answer_start: starts } = (label ?? {}) as { text?: Value; answer_start?: Value };
  if (!Array.isArray(texts) || !Array.isArray(starts) || texts.length !== starts.length)
    return 'is not {"text": […], "answer_start": […]} of equal lengths';
  const wrong = starts.findIndex(
    (start, index) =>
      typeof start !== 'number' || typeof text !== 'string' || !text.startsWith(String(texts[index]), start),
  );
  return wrong < 0
    ? undefined
    : `says that ${JSON.stringify(texts[wrong])} begins at ${starts[wrong]}, which it does not`;
}
