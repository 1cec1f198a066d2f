/** Sets of rows that belong together (union-find with path halving); the earliest row stands for its set. */
export interface Groups {
  /** The earliest row of the set that this row is in: itself when nothing joined it. */
  find(row: number): number;
  join(left: number, right: number): void;
}

export function groups(): Groups {
  let parents = new Int32Array(1024).fill(-1);
  const find = (row: number): number => {
    if (row >= parents.length) return row;
    let current = row;
    while (parents[current]! >= 0) {
      const parent = parents[current]!;
      if (parents[parent]! >= 0) parents[current] = parents[parent]!;
      current = parent;
    }
    return current;
  };
  return {
    find,
    join(left, right) {
      const needed = Math.max(left, right) + 1;
      if (needed > parents.length) {
        const larger = new Int32Array(Math.max(needed, parents.length * 2)).fill(-1);
        larger.set(parents);
        parents = larger;
      }
      const first = find(left);
      const second = find(right);
      if (first !== second) parents[Math.max(first, second)] = Math.min(first, second);
    },
  };
}
