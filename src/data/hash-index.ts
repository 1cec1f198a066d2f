import { hash32 } from '../base/index.ts';

/** 64 bits of a text's hash: equal texts have equal ones, and among a million texts two others meet with odds of 1e-7. */
export interface TextHash {
  readonly high: number;
  readonly low: number;
}

export function hashText(text: string): TextHash {
  return { high: hash32(text, 0x5bd1e995), low: hash32(text) };
}

/** The first row seen with each hash: an open-addressing table in typed arrays, 12 bytes an entry. */
export interface HashIndex {
  readonly size: number;
  /** The row that the hash was first added with; adds this one and returns undefined when there is none yet. */
  add(hash: TextHash, row: number): number | undefined;
  get(hash: TextHash): number | undefined;
}

export function hashIndex(): HashIndex {
  let capacity = 1024;
  let highs = new Uint32Array(capacity);
  let lows = new Uint32Array(capacity);
  let rows = new Int32Array(capacity).fill(-1);
  let size = 0;

  const slotOf = (high: number, low: number): number => {
    let slot = (low ^ (high >>> 7)) & (capacity - 1);
    while (rows[slot]! >= 0 && (highs[slot] !== high || lows[slot] !== low)) slot = (slot + 1) & (capacity - 1);
    return slot;
  };
  const grow = (): void => {
    const old = { highs, lows, rows };
    capacity *= 2;
    highs = new Uint32Array(capacity);
    lows = new Uint32Array(capacity);
    rows = new Int32Array(capacity).fill(-1);
    for (let index = 0; index < old.rows.length; index++) {
      if (old.rows[index]! < 0) continue;
      const slot = slotOf(old.highs[index]!, old.lows[index]!);
      highs[slot] = old.highs[index]!;
      lows[slot] = old.lows[index]!;
      rows[slot] = old.rows[index]!;
    }
  };
  return {
    get size() {
      return size;
    },
    add({ high, low }, row) {
      const slot = slotOf(high, low);
      if (rows[slot]! >= 0) return rows[slot];
      highs[slot] = high;
      lows[slot] = low;
      rows[slot] = row;
      if (++size * 2 > capacity) grow();
      return undefined;
    },
    get({ high, low }) {
      const row = rows[slotOf(high, low)]!;
      return row < 0 ? undefined : row;
    },
  };
}
