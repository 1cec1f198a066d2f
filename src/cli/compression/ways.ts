import { join } from 'node:path';
import type { Manifest } from '../../pipeline/index.ts';

/** A way to a smaller model: commands, one after another, the last of which writes the package that came of it. */
export interface Way {
  readonly name: string;
  readonly steps: readonly WayStep[];
  /** The package that it ends in, and the variant of it. */
  readonly package: string;
  readonly variant: string;
}

export interface WayStep {
  readonly id: string;
  readonly use: string;
  readonly with: Readonly<Record<string, unknown>>;
}

export interface WayOptions {
  /** The folder of the source. */
  readonly source: string;
  readonly data: string;
  /** Where the packages of the ways go. */
  readonly folder: string;
  /** Architectures of students, the smallest first. */
  readonly students: readonly string[];
  /** Shares of the source's latency to prune to. */
  readonly pruneTo: readonly number[];
  /** Passes of students and of what was pruned over the data. Default: those of the commands. */
  readonly epochs?: number | undefined;
  readonly seed: number;
  readonly threads: number;
}

/**
 * The ways that make sense for a package, those that gain most first: a student in 8 bits, the source pruned and in 8 bits,
 * the source in 8 bits. Texts take dynamic scales, images static ones, as measured (docs/compression.md). What a way shares
 * with one before it is the same step under the same name, which is not done twice.
 */
export function waysOf({ pipeline }: Manifest, options: WayOptions): Way[] {
  const { source, data, folder, students, pruneTo, epochs, seed, threads } = options;
  const [scheme, variant] = pipeline.features.kind === 'image' ? ['static', 'int8'] : ['dynamic', 'int8'];
  const training = { data, seed, threads, ...(epochs !== undefined && { epochs }) };
  const learning = (id: string) => ({ ...training, out: join(folder, id), run: join(folder, 'runs', id) });
  const made = students.map((student) => {
    const id = `distill-${student}`;
    return { id, use: 'distill', with: { teacher: source, student, ...learning(id) } };
  });
  const pruned = pruneTo.map((share) => {
    const id = `prune-${share}`;
    return { id, use: 'prune', with: { package: source, target: `latency=${share}`, ...learning(id) } };
  });
  const wayThrough = (before: WayStep | undefined): Way => {
    const from = before === undefined ? source : join(folder, before.id);
    const id = before === undefined ? 'quantize' : `${before.id}-quantize`;
    const out = join(folder, id);
    return {
      name: id.replace(/-quantize$|^quantize$/, (word) => (word.startsWith('-') ? ', int8' : 'int8')),
      steps: [
        ...(before === undefined ? [] : [before]),
        { id, use: 'quantize', with: { package: from, scheme, data, out } },
      ],
      package: out,
      variant,
    };
  };
  return [...made, ...pruned, undefined].map(wayThrough);
}
