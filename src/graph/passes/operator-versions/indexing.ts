import { string } from '../../attributes.ts';
import { becameInput, withDefault } from './attributes.ts';
import { first, type History, renamed, same } from './step.ts';

/** Operators that pick, place or make elements by position. Negative positions, since operator set 11, were errors before. */
export const INDEXING = {
  Compress: { 9: first, 11: same },
  ConstantOfShape: { 9: first, 20: same, 21: same },
  CumSum: { 11: first, 14: same },
  DepthToSpace: { 1: first, 11: same, 13: same },
  EyeLike: { 9: first },
  Gather: { 1: first, 11: same, 13: same },
  GatherElements: { 11: first, 13: same },
  GatherND: { 11: first, 12: same, 13: same },
  GridSample: {
    16: first,
    20: ({ node }) => {
      const mode = node.attributes.get('mode');
      const name = mode?.kind === 'string' ? new TextDecoder().decode(mode.value) : 'bilinear';
      const now = NAMES_OF_MODES[name];
      return now === undefined ? node : { ...node, attributes: new Map([...node.attributes, ['mode', string(now)]]) };
    },
  },
  NonZero: { 9: first, 13: same },
  OneHot: { 9: first, 11: same },
  Range: { 11: first },
  // Half a pixel less since operator set 16, unless told otherwise.
  RoiAlign: { 10: first, 16: withDefault('coordinate_transformation_mode', string('output_half_pixel')) },
  Scatter: { 9: first, 11: renamed('ScatterElements') },
  ScatterElements: { 11: first, 13: same, 16: same, 18: same },
  ScatterND: { 11: first, 13: same, 16: same, 18: same },
  SpaceToDepth: { 1: first, 13: same },
  TopK: { 1: first, 10: becameInput('k', 1), 11: same },
  Trilu: { 14: first },
  Unique: { 11: first },
} satisfies Record<string, History>;

/** Of GridSample, since operator set 20. */
const NAMES_OF_MODES: Readonly<Record<string, string>> = { bilinear: 'linear', bicubic: 'cubic' };
