import { LatheError } from '../base/index.ts';
import { type CleaningRun, type StepTally, startCleaning } from './cleaning/run.ts';
import { type CleaningStep, cleaningSchema, DEFAULT_CLEANING, DEFAULT_IMAGE_CLEANING } from './cleaning/schema.ts';
import { duplicateKey, type LeakingPair } from './duplicates.ts';
import { type Groups, groups } from './groups.ts';
import { type Growing, growing } from './growing.ts';
import { hashIndex, hashText } from './hash-index.ts';
import { type Column, excerptOf, type Row, type RowReader, textOf, type Value } from './row.ts';
import { FINGERPRINT, SHA256 } from './sources/image-columns.ts';
import { readRows } from './sources/index.ts';
import { type Progress, type Source, sourceTitle } from './sources/source.ts';
import { SPLIT_WORDS, SPLITS, splitOf } from './split.ts';
import { type Spool, spool } from './spool.ts';
import { kindOf, separated, TARGETS, type Target, type TargetKind } from './targets.ts';

/** Which columns mean what. */
export interface ColumnRoles {
  /** What is to be judged: a text, or, where `images` is true, the path of an image. */
  readonly text: string;
  readonly images: boolean;
  /** The second text of a pair. */
  readonly textPair?: string | undefined;
  readonly label?: string | undefined;
  /** Rows with the same value stay on one side of every split. */
  readonly group?: string | undefined;
  /** Names the split of each row: train, validation, test, or a common word for one of them. */
  readonly split?: string | undefined;
}

/** Roles as asked for: what is left out is looked for under its usual name, false means none. */
export interface RolesAsked {
  readonly text?: string | undefined;
  readonly textPair?: string | undefined;
  readonly label?: string | false | undefined;
  readonly group?: string | undefined;
  readonly split?: string | false | undefined;
}

export interface CollectOptions {
  readonly source: Source;
  readonly roles: RolesAsked;
  /** Default: what suits texts, or images. */
  readonly cleaning?: readonly CleaningStep[] | undefined;
  /** What labels are. Default `class`. */
  readonly target?: TargetKind | undefined;
  /** Divides a text that holds several class names. Default `|`. */
  readonly labelSeparator?: string | undefined;
  /** What source paths are relative to. */
  readonly directory?: string | undefined;
  /** Where rows wait while there are too many for memory. */
  readonly temporaryDirectory?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: Progress | undefined;
}

/** All rows of a source after cleaning, and what was learned on the way. Rows are known by their number in reading order. */
export interface Collected {
  readonly reader: RowReader;
  /** Columns of the source, then of the rows as cleaned. */
  readonly sourceColumns: readonly Column[];
  readonly roles: ColumnRoles;
  readonly rowsRead: number;
  readonly spool: Spool;
  /** Of each spooled row: its number, label, split (index in SPLITS, -1 for none), and the hash of its text. */
  readonly numbers: Growing<Int32Array>;
  readonly labels: Growing<Int32Array>;
  readonly splits: Growing<Int32Array>;
  readonly keyHighs: Growing<Uint32Array>;
  readonly keyLows: Growing<Uint32Array>;
  readonly labelNames: readonly string[];
  readonly together: Groups;
  readonly steps: readonly StepTally[];
  /** Rows that could not be used, by reason; the first of them are kept to show. */
  readonly unusable: {
    readonly count: number;
    readonly reasons: ReadonlyMap<string, number>;
    readonly shown: readonly UnusableRow[];
  };
  readonly leaks: readonly LeakingPair[];
  /** Rows with the one of their split that stands for them in the leaks. */
  copies(): readonly (readonly [row: number, of: number])[];
  /** Of each spooled row the first row of its group: itself where it has none. */
  readonly groupFirsts: Growing<Int32Array>;
  readonly groupLeaks: readonly { readonly row: number; readonly other: number; readonly group: string }[];
  readonly duplicatesKept: CleaningRun['duplicatesKept'];
  isKept(row: number): boolean;
  drop(row: number): void;
  /** File and line of rows given by number. */
  locate(rows: readonly number[]): Promise<ReadonlyMap<number, Location>>;
  close(): Promise<void>;
}

export interface Location {
  readonly file: string;
  readonly line: number;
}

/** `file:line`, or the file alone where a file is a row. */
export function formatLocation(place: Location | undefined): string {
  if (place === undefined) return '?';
  return place.line === 0 ? place.file : `${place.file}:${place.line}`;
}

export interface UnusableRow {
  readonly row: number;
  readonly reason: string;
  readonly excerpt: string;
}

const SHOWN = 100;

/** Reads a source once, cleans it, and keeps what passes in a spool, until the caller closes it. */
export async function collect(options: CollectOptions): Promise<Collected> {
  const { source, signal } = options;
  const reader = await readRows(source, {
    ...(options.directory !== undefined && { directory: options.directory }),
    ...(options.signal !== undefined && { signal: options.signal }),
    ...(options.onProgress !== undefined && { onProgress: options.onProgress }),
  });
  const target: Target = TARGETS[options.target ?? 'class'];
  const roles = resolveRoles(options.roles, target, reader.columns, options.cleaning ?? [], sourceTitle(source));
  // Labels that speak of places need the text as it stands.
  const usual = target.placed ? [] : roles.images ? DEFAULT_IMAGE_CLEANING : DEFAULT_CLEANING;
  const steps = options.cleaning ?? cleaningSchema.parse(usual);
  const readLabel = (row: Row): Row => {
    const name = roles.label;
    if (name === undefined || !Object.hasOwn(row, name)) return row;
    if (options.target === 'classes') return { ...row, [name]: separated(row[name]!, options.labelSeparator ?? '|') };
    return target.read === undefined
      ? row
      : { ...row, [name]: target.read(row[name]!, row, row[roles.textPair ?? roles.text]) };
  };

  // The column whose hash says where in the splits a row stands.
  const placing = roles.images ? SHA256 : ((target.groupsPairs ? roles.textPair : undefined) ?? roles.text);

  const alive = growing(Uint8Array);
  const fileNames: string[] = [];
  const fileNumbers = new Map<string, number>();
  const files = growing(Int32Array);
  const lines = growing(Uint32Array);

  const numbers = growing(Int32Array);
  const labels = growing(Int32Array);
  const splits = growing(Int32Array);
  const keyHighs = growing(Uint32Array);
  const keyLows = growing(Uint32Array);
  const labelNumbers = new Map<string, number>();
  const labelOf = (row: Row): number => {
    const name = roles.label === undefined ? '' : labelKey(row[roles.label]);
    let number = labelNumbers.get(name);
    if (number === undefined) {
      number = labelNumbers.size;
      labelNumbers.set(name, number);
    }
    return number;
  };
  const splitNumber = (row: Row): number => {
    const word = roles.split === undefined ? undefined : textOf(row[roles.split]);
    if (word === undefined) return -1;
    const split = splitOf(word);
    if (split === undefined) throw unknownSplit(roles.split!, word);
    return SPLITS.indexOf(split);
  };

  const together = groups();
  const firstOfGroup = hashIndex();
  const groupFirsts = growing(Int32Array);
  const groupSplits = growing(Int32Array);
  const groupLeaks: { row: number; other: number; group: string }[] = [];
  const reasons = new Map<string, number>();
  const shown: UnusableRow[] = [];
  let unusable = 0;
  const isKept = (row: number): boolean => alive.data[row] === 1;
  const drop = (row: number): void => {
    alive.data[row] = 0;
  };
  const cleaning: CleaningRun = startCleaning(steps, {
    columns: { text: roles.text, label: roles.label },
    images: roles.images,
    watchesCopies: target.groupsPairs !== true,
    sourceColumns: reader.columns,
    together,
    labelOf,
    splitOf: splitNumber,
    // A step may still rename a column to be the label: a label that is missing by name is not yet one that is missing.
    isUsable: (row) =>
      whyUnusable(readLabel(row), roles, target) === undefined || lacksOnlyLabelColumn(row, roles, target),
    isKept,
    drop,
  });
  const rows = spool(options.temporaryDirectory);
  const close = async (): Promise<void> => {
    await rows.close();
    await reader.close();
  };

  try {
    for await (const batch of reader.batches) {
      signal?.throwIfAborted();
      const first = alive.length;
      for (let index = 0; index < batch.rows.length; index++) {
        const name = typeof batch.file === 'string' ? batch.file : batch.file[index]!;
        let file = fileNumbers.get(name);
        if (file === undefined) {
          file = fileNames.length;
          fileNumbers.set(name, file);
          fileNames.push(name);
        }
        files.push(file);
        lines.push(batch.numbers[index]!);
        alive.push(1);
      }
      const cleaned = await cleaning.clean(batch.rows, first);
      for (const [index, cleanedRow] of cleaned.entries()) {
        if (cleanedRow === undefined) continue;
        const { [FINGERPRINT]: _, ...kept } = cleanedRow;
        // Near-duplicates were looked for by it: it says nothing to anyone else.
        const row = readLabel(roles.images ? kept : cleanedRow);
        const number = first + index;
        const reason = whyUnusable(row, roles, target);
        if (reason !== undefined) {
          drop(number);
          unusable++;
          reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
          if (shown.length < SHOWN) shown.push({ row: number, reason, excerpt: excerptOf(JSON.stringify(row), 120) });
          continue;
        }
        const split = splitNumber(row);
        const key = duplicateKey(wordsOf(row[placing]!));
        joinGroup(row, number, split);
        numbers.push(number);
        labels.push(labelOf(row));
        splits.push(split);
        keyHighs.push(key.high);
        keyLows.push(key.low);
        await rows.push(row);
      }
    }
  } catch (error) {
    await close();
    throw error;
  }

  function joinGroup(row: Row, number: number, split: number): void {
    while (groupSplits.length <= number) groupSplits.push(-1);
    groupSplits.data[number] = split;
    const group = roles.group === undefined ? undefined : textOf(row[roles.group]);
    const first = group === undefined ? undefined : firstOfGroup.add(hashText(group), number);
    groupFirsts.push(first ?? number);
    if (group === undefined || first === undefined) return;
    together.join(first, number);
    if (groupSplits.data[first] !== split) groupLeaks.push({ row: number, other: first, group });
  }

  return {
    reader,
    sourceColumns: reader.columns,
    roles,
    rowsRead: alive.length,
    spool: rows,
    numbers,
    labels,
    splits,
    keyHighs,
    keyLows,
    labelNames: [...labelNumbers.keys()],
    together,
    steps: cleaning.steps,
    unusable: { count: unusable, reasons, shown },
    leaks: cleaning.leaks(),
    copies: cleaning.copies,
    duplicatesKept: cleaning.duplicatesKept,
    groupFirsts,
    groupLeaks,
    isKept,
    drop,
    close,
    async locate(wanted) {
      const found = new Map<number, Location>();
      const byFile = new Map<number, number[]>();
      for (const row of [...new Set(wanted)].sort((left, right) => left - right)) {
        const file = files.data[row]!;
        const list = byFile.get(file);
        if (list === undefined) byFile.set(file, [row]);
        else list.push(row);
      }
      for (const [file, list] of byFile) {
        const name = fileNames[file]!;
        const numbersInFile = list.map((row) => lines.data[row]!);
        const linesInFile = await reader.locate(name, numbersInFile);
        for (const [index, row] of list.entries()) found.set(row, { file: name, line: linesInFile[index]! });
      }
      return found;
    },
  };
}

function whyUnusable(row: Row, roles: ColumnRoles, target: Target): string | undefined {
  for (const column of roles.textPair === undefined ? [roles.text] : [roles.text, roles.textPair]) {
    const problem = textProblem(row[column], target.words === true);
    if (problem !== undefined) return problem === 'no' ? `no ${column}` : `${column} ${problem}`;
  }
  if (roles.label === undefined) return undefined;
  const label = row[roles.label];
  if (label === undefined || label === null || label === '') return `no ${roles.label}`;
  const problem = target.problem(label, row[roles.textPair ?? roles.text]!);
  return problem === undefined ? undefined : `${roles.label} ${problem}`;
}

function textProblem(text: Value | undefined, words: boolean): string | undefined {
  if (text === undefined || text === null) return 'no';
  if (words) {
    if (!Array.isArray(text)) return `is ${kindOf(text)}, not a list of words`;
    if (text.length === 0) return 'is empty';
    return text.every((word) => typeof word === 'string') ? undefined : 'has something else than words in its list';
  }
  if (typeof text !== 'string') return `is ${kindOf(text)}, not text`;
  return /\S/.test(text) ? undefined : 'is empty';
}

/** A text, or a list of words as one. */
export function wordsOf(text: Value): string {
  return Array.isArray(text) ? text.join(' ') : String(text);
}

/** Equal for equal labels. */
function labelKey(label: Value | undefined): string {
  return textOf(label) ?? (label === undefined || label === null ? '' : JSON.stringify(label));
}

function lacksOnlyLabelColumn(row: Row, roles: ColumnRoles, target: Target): boolean {
  const label = roles.label;
  return (
    label !== undefined &&
    !Object.hasOwn(row, label) &&
    whyUnusable(row, { ...roles, label: undefined }, target) === undefined
  );
}

function unknownSplit(column: string, word: string): LatheError {
  return new LatheError('invalid-data', `column "${column}": ${JSON.stringify(word)} names no split`, {
    hint: `Expected one of ${SPLIT_WORDS.join(', ')}. To split anew, leave the column out of the roles (--resplit).`,
  });
}

const ROLE_NAMES: Readonly<Record<string, string>> = { textPair: 'second text' };

/** Throws `usage` when a role names a column that neither the source has nor a step makes, with the names that come near. */
function resolveRoles(
  asked: RolesAsked,
  target: Target,
  columns: readonly Column[],
  cleaning: readonly CleaningStep[],
  source: string,
): ColumnRoles {
  if (columns.length === 0) throw new LatheError('invalid-data', `${source} is empty: it has neither rows nor columns`);
  const names = new Set(columns.map((column) => column.name));
  for (const step of cleaning) if (step.step === 'rename') names.add(step.to);
  const present = (name: string): string | undefined => (names.has(name) ? name : undefined);
  const images = asked.text === undefined && !names.has('text') && names.has('image') && names.has(FINGERPRINT);
  const textPair = asked.textPair ?? target.columns?.textPair;
  const roles = {
    text: asked.text ?? target.columns?.text ?? (images ? 'image' : 'text'),
    textPair,
    label: asked.label === false ? undefined : (asked.label ?? present(target.columns?.label ?? 'label')),
    group: asked.group ?? (target.groupsPairs ? textPair : undefined),
    split: asked.split === false ? undefined : (asked.split ?? present('split')),
  };
  for (const [role, name] of Object.entries(roles)) {
    if (name === undefined || names.has(name)) continue;
    const near = nearNames(name, [...names]);
    const suggestion = near.length > 0 ? `Did you mean ${near.map((one) => `"${one}"`).join(' or ')}? ` : '';
    throw new LatheError('usage', `${ROLE_NAMES[role] ?? role} column: there is no column "${name}"`, {
      hint: `${suggestion}The columns are ${[...names].map((one) => `"${one}"`).join(', ')}.`,
    });
  }
  return { ...roles, images };
}

/** Names within a few typing errors of the one that was asked for, nearest first. */
export function nearNames(name: string, names: readonly string[]): string[] {
  const wanted = name.toLowerCase();
  return names
    .map((other) => ({ other, distance: editDistance(wanted, other.toLowerCase()) }))
    .filter(({ other, distance }) => distance <= Math.max(1, Math.floor(Math.min(name.length, other.length) / 3)))
    .sort((left, right) => left.distance - right.distance)
    .slice(0, 3)
    .map(({ other }) => other);
}

function editDistance(left: string, right: string): number {
  let previous = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let row = 1; row <= left.length; row++) {
    const current = [row];
    for (let column = 1; column <= right.length; column++) {
      const change = left[row - 1] === right[column - 1] ? 0 : 1;
      current.push(Math.min(previous[column]! + 1, current[column - 1]! + 1, previous[column - 1]! + change));
    }
    previous = current;
  }
  return previous[right.length]!;
}
