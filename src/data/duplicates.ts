import type { Groups } from './groups.ts';
import { type Growing, growing } from './growing.ts';
import { type HashIndex, hashIndex, hashText, type TextHash } from './hash-index.ts';
import { type NearDuplicateOptions, nearDuplicateIndex } from './near-duplicates.ts';

/** What duplicates are compared by: the Unicode form, case and white space of a text do not count. */
export function duplicateKey(text: string): TextHash {
  return hashText(text.normalize('NFKC').toLowerCase().replace(/\s+/g, ' ').trim());
}

/** A row among those that duplicates are looked for in: labels and splits by number, a split of -1 when none is given. */
export interface DuplicateCandidate {
  readonly row: number;
  readonly text: string;
  readonly label: number;
  readonly split: number;
}

export type DuplicateVerdict =
  | { readonly kind: 'first' }
  /** Same label, same split: one of the two is enough. */
  | { readonly kind: 'duplicate'; readonly of: number; readonly similarity: number }
  /** The same text under different labels. */
  | { readonly kind: 'conflict'; readonly with: number; readonly similarity: number };

/** Two rows that say the same on both sides of a split that the data came with. */
export interface LeakingPair {
  readonly kind: 'exact' | 'near';
  readonly row: number;
  readonly other: number;
  readonly similarity: number;
}

/** Finds duplicates among rows that arrive in order; pairs that must not be split apart are joined in `together`. */
export interface DuplicateSearch {
  readonly leaks: readonly LeakingPair[];
  /** Rows that are not remembered, two numbers each: the row, and the one of its split that stands for it. */
  readonly copies: Growing<Int32Array>;
  check(candidate: DuplicateCandidate): DuplicateVerdict;
}

const SPLIT_COUNT = 4;

/** Rows whose normalized text is the same. A row found to be a duplicate is not remembered: the first stands for it. */
export function exactDuplicates(together: Groups): DuplicateSearch {
  const indexes: HashIndex[] = Array.from({ length: SPLIT_COUNT }, hashIndex);
  const labels = rowNumbers();
  const leaks: LeakingPair[] = [];
  const copies = growing(Int32Array);
  return {
    leaks,
    copies,
    check({ row, text, label, split }) {
      const key = duplicateKey(text);
      const first = indexes[split + 1]!.add(key, row);
      if (first !== undefined) {
        together.join(first, row);
        copies.append([row, first]);
        return labels.get(first) === label
          ? { kind: 'duplicate', of: first, similarity: 1 }
          : { kind: 'conflict', with: first, similarity: 1 };
      }
      labels.set(row, label);
      for (const [index, others] of indexes.entries()) {
        const other = index === split + 1 ? undefined : others.get(key);
        if (other === undefined) continue;
        together.join(other, row);
        leaks.push({ kind: 'exact', row, other, similarity: 1 });
      }
      return { kind: 'first' };
    },
  };
}

/**
 * Rows whose texts are nearly the same. With `keepAll`, duplicates are remembered too, so that `together` holds whole
 * clusters; without, what is kept has no two rows of the same label that are near-duplicates of each other.
 */
export function nearDuplicates(
  together: Groups,
  isKept: (row: number) => boolean,
  options: NearDuplicateOptions & { readonly keepAll: boolean },
): DuplicateSearch {
  const index = nearDuplicateIndex(options);
  const rows = growing(Int32Array);
  const labels = growing(Int32Array);
  const splits = growing(Int32Array);
  const leaks: LeakingPair[] = [];
  const copies = growing(Int32Array);
  return {
    leaks,
    copies,
    check({ row, text, label, split }) {
      const sketch = index.sketch(text);
      let verdict: DuplicateVerdict = { kind: 'first' };
      let repeated: number | undefined;
      for (const { entry, similarity } of index.find(sketch)) {
        const other = rows.data[entry]!;
        if (!isKept(other)) continue;
        const sameLabel = labels.data[entry] === label;
        const sameSplit = splits.data[entry] === split;
        together.join(other, row);
        if (!sameSplit) leaks.push({ kind: 'near', row, other, similarity });
        else if (sameLabel && verdict.kind !== 'duplicate') verdict = { kind: 'duplicate', of: other, similarity };
        else if (!sameLabel && verdict.kind === 'first') verdict = { kind: 'conflict', with: other, similarity };
        if (sameLabel && sameSplit && similarity === 1) repeated ??= other;
      }
      if (options.keepAll && repeated !== undefined) copies.append([row, repeated]);
      else if (options.keepAll || verdict.kind !== 'duplicate') {
        index.insert(sketch);
        rows.push(row);
        labels.push(label);
        splits.push(split);
      }
      return verdict;
    },
  };
}

/** A number a row, for rows that arrive in ascending order with gaps. */
function rowNumbers(): { get(row: number): number; set(row: number, value: number): void } {
  const values = growing(Int32Array);
  return {
    get: (row) => values.data[row]!,
    set(row, value) {
      while (values.length < row) values.push(-1);
      values.push(value);
    },
  };
}
