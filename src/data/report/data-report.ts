import { countWords } from '../cleaning/row-steps.ts';
import { type Collected, formatLocation, wordsOf } from '../collect.ts';
import type { StepEffect } from '../dataset.ts';
import { growing } from '../growing.ts';
import { excerptOf, type Row, type UnreadableRow } from '../row.ts';
import { SHA256 } from '../sources/image-columns.ts';
import { SPLITS, type SplitName } from '../split.ts';
import { type ColumnProfile, profileColumn } from './column-profile.ts';
import { type Distribution, distributionOf } from './distribution.ts';

export type BySplit = Readonly<Record<SplitName, number>>;

/** Something about data that its user should know. A leak makes what is measured on the data worthless. */
export interface Finding {
  readonly level: 'leak' | 'warning' | 'note';
  /** Stable, for programs. */
  readonly code: string;
  readonly message: string;
}

/** Two rows that say the same on both sides of a split. */
export interface LeakExample {
  readonly kind: 'exact' | 'near' | 'group';
  readonly at: string;
  readonly split: SplitName;
  readonly other: string;
  readonly otherSplit: SplitName;
  readonly similarity: number;
  readonly excerpt: string;
}

/** What is known of data: whether it can be trusted, and what is odd about it. */
export interface DataReport {
  readonly verdict: 'ready' | 'warnings' | 'leak';
  readonly findings: readonly Finding[];
  readonly rows: { readonly read: number; readonly unusable: number; readonly dropped: number; readonly kept: number };
  readonly splits: BySplit;
  readonly labels: readonly { readonly label: string; readonly rows: BySplit; readonly total: number }[];
  /** Largest difference, over labels and splits, between a label's share of a split and of all rows. */
  readonly largestShareDifference: number;
  readonly labelsOnlyTested: readonly string[];
  readonly duplicates: {
    /** Rows dropped because an earlier one has the same text. */
    readonly exactDropped: number;
    readonly nearDropped: number;
    /** Repeated rows that were kept, on the same side of every split. */
    readonly exactKept: number;
    readonly nearKept: number;
    /** Rows with the text of another and a different label. */
    readonly conflicts: number;
  };
  readonly leaks: {
    readonly exact: number;
    readonly near: number;
    readonly group: number;
    readonly examples: readonly LeakExample[];
  };
  readonly unusable: {
    readonly reasons: readonly { readonly reason: string; readonly rows: number }[];
    readonly examples: readonly UnreadableRow[];
  };
  readonly cleaning: readonly StepEffect[];
  /** Of data of texts. */
  readonly lengths?: {
    readonly characters: Distribution;
    readonly words: Distribution;
    /** Whether `truncated` counts real tokens, or 1.3 a word. */
    readonly tokensAreCounted: boolean;
    readonly truncated: readonly { readonly maxLength: number; readonly share: number }[];
  };
  /** Of data of images. */
  readonly images?: {
    readonly width: Distribution;
    readonly height: Distribution;
    /** A few of each label, by their paths in the folder of the source. */
    readonly examples: readonly { readonly label: string; readonly files: readonly string[] }[];
  };
  readonly columns: readonly ColumnProfile[];
  readonly notes: readonly string[];
}

export interface ReportOptions {
  /** Tokens of a text without special tokens. Default: an estimate of 1.3 a word. */
  readonly countTokens?: ((text: string) => number) | undefined;
}

/** Watches the rows of each split go by and reports on them. */
export interface ReportBuilder {
  add(row: Row, label: number): void;
  finish(facts: ReportFacts): Promise<DataReport>;
}

/** What preparing knows already. */
export interface ReportFacts {
  readonly rows: DataReport['rows'];
  readonly splits: BySplit;
  readonly labelCounts: ReadonlyMap<string, BySplit>;
  readonly cleaning: readonly StepEffect[];
  readonly leaks: readonly RowPair[];
}

export interface RowPair {
  readonly kind: 'exact' | 'near' | 'group';
  readonly row: number;
  readonly split: SplitName;
  readonly other: number;
  readonly otherSplit: SplitName;
  readonly similarity: number;
}

const MAX_LENGTHS = [64, 128, 256, 512];
const TOKENS_A_WORD = 1.3;
/** The tokens that frame a text: [CLS] and [SEP]. */
const FRAME = 2;
const EXAMPLES = 50;
/** Pictures that a page shows of a label, and labels that it shows pictures of. */
const PICTURES = 10;
const LABELS_PICTURED = 40;
const LEAK_EXAMPLES = 20;

export function startReport(collected: Collected, options: ReportOptions = {}): ReportBuilder {
  const { roles } = collected;
  const characters = growing(Uint32Array);
  const words = growing(Uint32Array);
  const over = MAX_LENGTHS.map(() => 0);
  const profiles = new Map<string, ReturnType<typeof profileColumn>>();
  let rowsSeen = 0;
  const skipped = new Set([roles.text, roles.label, ...(roles.images ? ['width', 'height', 'channels', SHA256] : [])]);
  const widths = growing(Uint32Array);
  const heights = growing(Uint32Array);
  const shown = new Map<number, string[]>();
  const addImage = (row: Row, label: number): void => {
    widths.push(Number(row.width ?? 0));
    heights.push(Number(row.height ?? 0));
    const files = shown.get(label) ?? [];
    if (files.length === 0 && shown.size < LABELS_PICTURED) shown.set(label, files);
    if (files.length < PICTURES) files.push(String(row[roles.text]));
  };
  return {
    add(row, label) {
      if (roles.images) addImage(row, label);
      const text = wordsOf(row[roles.text]!);
      const count = countWords(text);
      characters.push(text.length);
      words.push(count);
      const tokens = (options.countTokens?.(text) ?? Math.ceil(count * TOKENS_A_WORD)) + FRAME;
      for (const [index, limit] of MAX_LENGTHS.entries()) if (tokens > limit) over[index]!++;
      for (const name in row) {
        if (skipped.has(name)) continue;
        let profile = profiles.get(name);
        if (profile === undefined) {
          profile = profileColumn(name);
          for (let earlier = 0; earlier < rowsSeen; earlier++) profile.add(null, label);
          profiles.set(name, profile);
        }
      }
      for (const [name, profile] of profiles) profile.add(row[name], label);
      rowsSeen++;
    },
    async finish(facts) {
      const duplicates = duplicatesOf(collected, facts.cleaning);
      const leaks = await leaksOf(collected, facts.leaks);
      const unusable = await unusableOf(collected);
      const labels = [...facts.labelCounts]
        .map(([label, rows]) => ({ label, rows, total: rows.train + rows.validation + rows.test }))
        .sort((left, right) => right.total - left.total || (left.label < right.label ? -1 : 1));
      const report = {
        rows: facts.rows,
        splits: facts.splits,
        labels,
        largestShareDifference: largestShareDifference(labels, facts.splits),
        labelsOnlyTested: labels
          .filter(({ rows }) => rows.train === 0 && rows.validation + rows.test > 0)
          .map(({ label }) => label),
        duplicates,
        leaks,
        unusable,
        cleaning: facts.cleaning,
        ...(roles.images && {
          images: {
            width: distributionOf(widths),
            height: distributionOf(heights),
            examples: [...shown]
              .map(([label, files]) => ({ label: collected.labelNames[label] ?? '', files }))
              .sort((left, right) => (left.label < right.label ? -1 : 1)),
          },
        }),
        ...(!roles.images && {
          lengths: {
            characters: distributionOf(characters),
            words: distributionOf(words),
            tokensAreCounted: options.countTokens !== undefined,
            truncated: MAX_LENGTHS.map((maxLength, index) => ({
              maxLength,
              share: rowsSeen === 0 ? 0 : over[index]! / rowsSeen,
            })),
          },
        }),
        columns: [...profiles.values()].map((profile) => profile.finish()),
        notes: collected.reader.notes,
      };
      const findings = findingsOf(report);
      const worst = findings.some(({ level }) => level === 'leak')
        ? 'leak'
        : findings.some(({ level }) => level === 'warning')
          ? 'warnings'
          : 'ready';
      return { verdict: worst, findings, ...report };
    },
  };
}

function duplicatesOf(collected: Collected, cleaning: readonly StepEffect[]): DataReport['duplicates'] {
  const sum = (name: string, count: (effect: StepEffect) => number): number =>
    cleaning.reduce((total, effect) => total + (effect.step.step === name ? count(effect) : 0), 0);
  const { exact, near, conflicts } = collected.duplicatesKept;
  return {
    exactDropped: sum('drop-exact-duplicates', ({ dropped }) => dropped),
    nearDropped: sum('drop-near-duplicates', ({ dropped }) => dropped),
    exactKept: exact,
    nearKept: near + sum('group-near-duplicates', ({ grouped }) => grouped),
    conflicts:
      conflicts +
      sum('drop-exact-duplicates', (effect) => effect.conflicts) +
      sum('drop-near-duplicates', (effect) => effect.conflicts) +
      sum('group-near-duplicates', (effect) => effect.conflicts),
  };
}

async function leaksOf(collected: Collected, pairs: readonly RowPair[]): Promise<DataReport['leaks']> {
  const count = (kind: RowPair['kind']): number => pairs.reduce((sum, pair) => sum + (pair.kind === kind ? 1 : 0), 0);
  const shown = pairs.slice(0, LEAK_EXAMPLES);
  const places = await collected.locate(shown.flatMap(({ row, other }) => [row, other]));
  const texts = await textsOf(collected, new Set(shown.map(({ row }) => row)));
  const at = (row: number): string => formatLocation(places.get(row));
  return {
    exact: count('exact'),
    near: count('near'),
    group: count('group'),
    examples: shown.map(({ kind, row, split, other, otherSplit, similarity }) => ({
      kind,
      at: at(row),
      split,
      other: at(other),
      otherSplit,
      similarity,
      excerpt: excerptOf(texts.get(row) ?? '', 120),
    })),
  };
}

async function textsOf(collected: Collected, wanted: ReadonlySet<number>): Promise<Map<number, string>> {
  const texts = new Map<number, string>();
  if (wanted.size === 0) return texts;
  let index = 0;
  for await (const row of collected.spool.rows()) {
    const number = collected.numbers.data[index++]!;
    if (wanted.has(number)) texts.set(number, wordsOf(row[collected.roles.text]!));
    if (texts.size === wanted.size) break;
  }
  return texts;
}

async function unusableOf(collected: Collected): Promise<DataReport['unusable']> {
  const reasons = new Map<string, number>(collected.unusable.reasons);
  for (const { reason } of collected.reader.unreadable) {
    // Parsers quote what they met: the rows count under what they have in common.
    const kind = reason.replace(/^not JSON: .*/, 'not JSON');
    reasons.set(kind, (reasons.get(kind) ?? 0) + 1);
  }
  const places = await collected.locate(collected.unusable.shown.map(({ row }) => row));
  const examples = collected.unusable.shown.map(({ row, reason, excerpt }) => ({
    ...places.get(row)!,
    reason,
    excerpt,
  }));
  return {
    reasons: [...reasons].map(([reason, rows]) => ({ reason, rows })).sort((left, right) => right.rows - left.rows),
    examples: [...collected.reader.unreadable.slice(0, EXAMPLES), ...examples.slice(0, EXAMPLES)].sort((left, right) =>
      left.file === right.file ? left.line - right.line : left.file < right.file ? -1 : 1,
    ),
  };
}

function largestShareDifference(labels: DataReport['labels'], splits: BySplit): number {
  const all = splits.train + splits.validation + splits.test;
  let largest = 0;
  for (const { rows, total } of labels) {
    for (const split of SPLITS) {
      if (splits[split] > 0) largest = Math.max(largest, Math.abs(rows[split] / splits[split] - total / all));
    }
  }
  return largest;
}

/** What a reader should hear, worst first. */
export function findingsOf(report: Omit<DataReport, 'verdict' | 'findings'>): Finding[] {
  const { rows, splits, labels, leaks, duplicates, unusable, lengths, columns } = report;
  const out: Finding[] = [];
  const say = (level: Finding['level'], code: string, message: string): void => void out.push({ level, code, message });
  const plural = (count: number, one: string, many = `${one}s`): string =>
    `${count.toLocaleString('en')} ${count === 1 ? one : many}`;

  if (leaks.exact > 0)
    say('leak', 'exact-leak', `${plural(leaks.exact, 'row says', 'rows say')} the same as a row of another split`);
  if (leaks.near > 0)
    say('leak', 'near-leak', `${plural(leaks.near, 'row says', 'rows say')} nearly the same as a row of another split`);
  if (leaks.group > 0)
    say(
      'leak',
      'group-leak',
      `${plural(leaks.group, 'row has', 'rows have')} a group that is in another split as well`,
    );

  if (report.labelsOnlyTested.length > 0) {
    say(
      'warning',
      'unseen-labels',
      `never seen in training, yet tested: ${report.labelsOnlyTested.slice(0, 8).join(', ')}`,
    );
  }
  for (const split of SPLITS) if (splits[split] === 0) say('warning', 'empty-split', `the ${split} split has no rows`);
  const rare = labels.filter(({ rows: counts }) => counts.train > 0 && counts.train < 10);
  if (rare.length > 0) {
    say(
      'warning',
      'rare-labels',
      `${plural(rare.length, 'label has', 'labels have')} fewer than 10 rows to learn from: ${rare
        .slice(0, 8)
        .map(({ label }) => label)
        .join(', ')}`,
    );
  }
  if (labels.length > 1) {
    const ratio = labels[0]!.total / Math.max(1, labels.at(-1)!.total);
    if (ratio >= 10)
      say(
        'warning',
        'imbalance',
        `"${labels[0]!.label}" has ${Math.round(ratio)} times the rows of "${labels.at(-1)!.label}"`,
      );
  }
  if (report.largestShareDifference > 0.05 && Math.min(splits.train, splits.test) >= 100) {
    say(
      'warning',
      'uneven-splits',
      `a label's share of one split differs by ${percent(report.largestShareDifference)} from its share of all rows`,
    );
  }
  if (duplicates.conflicts > 0) {
    say(
      'warning',
      'conflicting-labels',
      `${plural(duplicates.conflicts, 'row has', 'rows have')} (nearly) the text of another row and a different label`,
    );
  }
  if (rows.unusable > 0) {
    const level = rows.unusable * 100 > rows.read ? 'warning' : 'note';
    say(
      level,
      'unusable-rows',
      `${plural(rows.unusable, 'row')} of ${rows.read.toLocaleString('en')} could not be used: ${unusable.reasons
        .slice(0, 3)
        .map(({ reason, rows: count }) => `${reason} (${count.toLocaleString('en')})`)
        .join(', ')}`,
    );
  }
  const kept = duplicates.exactKept + duplicates.nearKept;
  if (kept > 0)
    say(
      'note',
      'kept-duplicates',
      `${plural(kept, 'repeated row was', 'repeated rows were')} kept; copies stay on one side of every split`,
    );
  const at128 = lengths?.truncated.find(({ maxLength }) => maxLength === 128);
  if (at128 !== undefined && at128.share > 0.1)
    say('note', 'long-texts', `${percent(at128.share)} of the texts are longer than 128 tokens and would be cut`);
  const named = (finding: ColumnProfile['findings'][number]): string =>
    columns
      .filter(({ findings }) => findings.includes(finding))
      .map(({ name }) => `"${name}"`)
      .join(', ');
  const predicting = named('predicts-label');
  if (predicting !== '')
    say('warning', 'predicting-columns', `${predicting} alone tells the label of every row: keep it out of the text`);
  const unique = named('unique');
  if (unique !== '')
    say('note', 'id-columns', `${unique} differs in every row, like an identifier; it is no part of the input`);
  const constant = named('constant');
  if (constant !== '') say('note', 'constant-columns', `${constant} is the same in every row`);
  for (const note of report.notes) say('note', 'source', note);
  const order = { leak: 0, warning: 1, note: 2 };
  return out.sort((left, right) => order[left.level] - order[right.level]);
}

export function percent(share: number): string {
  const value = share * 100;
  if (value > 0 && value < 0.1) return '< 0.1 %';
  return `${value > 0 && value < 10 ? value.toFixed(1) : value.toFixed(0)} %`;
}
