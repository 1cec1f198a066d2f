/**
 * Which indices must be cut together: sets of numbers that only grow together (union-find). A set that holds anything
 * pinned is pinned as a whole; a set that a statistic is computed over is marked so.
 */
export class Units {
  readonly #parents: number[] = [];
  readonly #pins: (string | undefined)[] = [];
  readonly #statistics: boolean[] = [];

  /** New sets of one, in a row; gives the first. */
  add(count: number): number {
    const first = this.#parents.length;
    for (let index = 0; index < count; index++) {
      this.#parents.push(first + index);
      this.#pins.push(undefined);
      this.#statistics.push(false);
    }
    return first;
  }

  /** The number that stands for the set. */
  setOf(item: number): number {
    let root = item;
    while (this.#parents[root] !== root) root = this.#parents[root]!;
    for (let at = item; at !== root; ) {
      const next = this.#parents[at]!;
      this.#parents[at] = root;
      at = next;
    }
    return root;
  }

  join(a: number, b: number): void {
    const [x, y] = [this.setOf(a), this.setOf(b)];
    if (x === y) return;
    const [root, other] = x < y ? [x, y] : [y, x];
    this.#parents[other] = root;
    this.#pins[root] ??= this.#pins[other];
    this.#statistics[root] ||= this.#statistics[other]!;
  }

  pin(item: number, why: string): void {
    this.#pins[this.setOf(item)] ??= why;
  }

  markStatistic(item: number): void {
    this.#statistics[this.setOf(item)] = true;
  }

  /** Why nothing of the set can be cut; undefined where it can. */
  pinOf(item: number): string | undefined {
    return this.#pins[this.setOf(item)];
  }

  isStatistic(item: number): boolean {
    return this.#statistics[this.setOf(item)]!;
  }
}
