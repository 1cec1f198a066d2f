import { describe, expect, it } from 'vitest';
import type { Manifest } from '../../pipeline/index.ts';
import { parseTarget } from './target.ts';
import { waysOf } from './ways.ts';

const OPTIONS = {
  source: 'models/spam',
  data: 'mails',
  folder: 'runs/compress/packages',
  students: ['bert-tiny'],
  pruneTo: [0.5],
  seed: 1,
  threads: 2,
};
const manifest = (kind: string): Manifest => ({ pipeline: { features: { kind } } }) as unknown as Manifest;

describe('waysOf', () => {
  it('lists what gains most first, each way ending in a package of 8 bits', () => {
    const ways = waysOf(manifest('tokens'), OPTIONS);
    expect(ways.map(({ name, variant }) => [name, variant])).toEqual([
      ['distill-bert-tiny, int8', 'int8'],
      ['prune-0.5, int8', 'int8'],
      ['int8', 'int8'],
    ]);
    expect(ways[0]!.steps.map(({ id, use }) => [id, use])).toEqual([
      ['distill-bert-tiny', 'distill'],
      ['distill-bert-tiny-quantize', 'quantize'],
    ]);
    // What one step writes, the next one reads.
    const [distill, quantize] = ways[0]!.steps;
    expect(quantize!.with.package).toBe(distill!.with.out);
    expect(ways[0]!.package).toBe(quantize!.with.out);
    expect(ways[2]!.steps.map(({ with: { package: from } }) => from)).toEqual(['models/spam']);
  });

  it('gives images static scales', () => {
    const schemes = (kind: string) => waysOf(manifest(kind), OPTIONS).map(({ steps }) => steps.at(-1)!.with.scheme);
    expect(new Set(schemes('tokens'))).toEqual(new Set(['dynamic']));
    expect(new Set(schemes('image'))).toEqual(new Set(['static']));
  });
});

describe('parseTarget', () => {
  const source = { name: 'source', score: 0.9, bytes: 80e6, latencyMs: 40 };
  it.each([
    ['latency=5ms', { latencyMs: 5 }],
    ['latency=0.25', { latencyMs: 10 }],
    ['latency=.5', { latencyMs: 20 }],
    ['bytes=3MB', { bytes: 3e6 }],
    ['bytes=0.04', { bytes: 3.2e6 }],
  ])('%s', (text, wanted) => {
    expect(parseTarget(text)(source)).toEqual(wanted);
  });

  it.each(['latency=5', 'latency=0', 'latency=0ms', 'bytes=', 'bytes=many', 'macs=0.5', ''])('refuses "%s"', (text) => {
    expect(() => parseTarget(text)).toThrow('--target: expected latency=5ms');
  });
});
