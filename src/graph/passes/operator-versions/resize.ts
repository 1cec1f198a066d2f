import { numbersOf, tensorFrom } from '../../../base/tensor.ts';
import { floatOf, floatsOf, string, stringOf } from '../../attributes.ts';
import type { Value } from '../../builder.ts';
import type { Node } from '../../ir.ts';
import { withAttributes, withInput } from './attributes.ts';
import { both, first, type History, renamed, type Step, type StepContext, same, without } from './step.ts';

/** Of images alone before operator set 7: height and width, and "bilinear" for what is "linear" since. */
const twoScales: Step = (context) => {
  const { node } = context;
  const [height, width] = ['height_scale', 'width_scale'].map((name) => floatOf(node, name, 1)) as [number, number];
  const plain = without('height_scale', 'width_scale')(context);
  return withAttributes(plain, {
    scales: { kind: 'floats', value: [1, 1, height, width] },
    ...(stringOf(node, 'mode', 'nearest') === 'bilinear' && { mode: string('linear') }),
  });
};

const scalesInput: Step = (context) => {
  const { node, build } = context;
  const scales = floatsOf(node, 'scales') ?? [];
  return withInput(
    without('scales')(context),
    1,
    build.constant(tensorFrom('float32', scales, [scales.length]), 'scales'),
  );
};

/** Upsample never shrinks, so that its nearest place is the one below. */
const asResize: Step = both(renamed('Resize'), ({ node }) =>
  stringOf(node, 'mode', 'nearest') === 'nearest' ? withAttributes(node, { nearest_mode: string('floor') }) : node,
);

/**
 * Before operator set 11 places were divided by the scale; the nearest was the one below where an axis grows, the one
 * above where it shrinks (as ONNX Runtime has it: the specification does not say). Where both may be, one Resize shrinks
 * and the next one grows.
 */
const places: Step = (context) => {
  const { node, build } = context;
  const [x, scales] = node.inputs as [Value, Value];
  const plain = withAttributes(node, { coordinate_transformation_mode: string('asymmetric') });
  if (stringOf(node, 'mode', 'nearest') !== 'nearest' || node.attributes.has('nearest_mode')) {
    return resized(plain, x, scales);
  }
  const by = (mode: string): Node => withAttributes(plain, { nearest_mode: string(mode) });
  const known = scalesOf(context);
  if (known?.every((scale) => scale >= 1)) return resized(by('floor'), x, scales);
  if (known?.every((scale) => scale <= 1)) return resized(by('ceil'), x, scales);
  const one = build.scalar(1, 'float32');
  const smaller = build.op(
    'Resize',
    [x, undefined, build.op('Min', [scales, one])],
    Object.fromEntries(by('ceil').attributes),
  );
  return resized(by('floor'), smaller, build.op('Max', [scales, one]));
};

function resized(node: Node, x: Value, scales: Value): Node {
  return { ...node, inputs: [x, '', scales] };
}

function scalesOf({ constantOf }: StepContext): readonly number[] | undefined {
  const scales = constantOf(1);
  return scales && numbersOf(scales);
}

/** Places half a pixel further than half_pixel, rounded: the same as half_pixel, rounded half a pixel further. */
const HALF_A_PIXEL: Readonly<Record<string, string>> = { floor: 'round_prefer_ceil', round_prefer_floor: 'ceil' };

/** Sizes or scales, no longer both with one of them empty; the region only where a mode reads it. */
const optionalInputs: Step = ({ node, has, refuse }) => {
  const mode = stringOf(node, 'coordinate_transformation_mode', 'half_pixel');
  const inputs = [...node.inputs];
  if (mode !== 'tf_crop_and_resize') inputs[1] = '';
  if (has(3)) inputs[2] = '';
  const plain = { ...node, inputs };
  if (mode !== 'tf_half_pixel_for_nn') return plain;
  const rounding = stringOf(node, 'nearest_mode', 'round_prefer_floor');
  const moved = stringOf(node, 'mode', 'nearest') === 'nearest' ? HALF_A_PIXEL[rounding] : undefined;
  if (moved === undefined) throw refuse(`tf_half_pixel_for_nn with nearest_mode "${rounding}"`);
  return withAttributes(plain, {
    coordinate_transformation_mode: string('half_pixel'),
    nearest_mode: string(moved),
  });
};

export const RESIZE = {
  Resize: { 10: first, 11: places, 13: optionalInputs, 18: same, 19: same },
  Upsample: { 1: first, 7: twoScales, 9: scalesInput, 10: asResize },
} satisfies Record<string, History>;
