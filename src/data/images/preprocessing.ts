import { z } from 'zod';
import { LatheError } from '../../base/index.ts';
import { centerCrop, type RawImage, withChannels } from './raw-image.ts';
import { type Resample, resize } from './resize.ts';

const pixels = z.int().min(1).max(8192);
const sizeSchema = z.union([
  pixels,
  z.looseObject({
    height: pixels.nullish(),
    width: pixels.nullish(),
    shortest_edge: pixels.nullish(),
    longest_edge: pixels.nullish(),
  }),
]);
const byChannel = z.union([z.number(), z.array(z.number()).min(1).max(4)]);

/** `preprocessor_config.json` of Hugging Face, as far as it says what happens to an image. */
const configSchema = z.looseObject({
  do_resize: z.boolean().nullish(),
  size: sizeSchema.nullish(),
  /** Pillow's number of a filter. */
  resample: z.int().min(0).max(5).nullish(),
  do_center_crop: z.boolean().nullish(),
  crop_size: sizeSchema.nullish(),
  crop_pct: z.number().positive().nullish(),
  do_rescale: z.boolean().nullish(),
  rescale_factor: z.number().nullish(),
  do_normalize: z.boolean().nullish(),
  image_mean: byChannel.nullish(),
  image_std: byChannel.nullish(),
  do_convert_rgb: z.boolean().nullish(),
  do_pad: z.boolean().nullish(),
  rescale_offset: z.boolean().nullish(),
  image_processor_type: z.string().nullish(),
  feature_extractor_type: z.string().nullish(),
});
export type PreprocessorConfig = z.infer<typeof configSchema>;

/** What happens to an image before a model sees it. */
export interface ImagePreprocessing {
  /** The file that it is from, as it was read. */
  readonly config: PreprocessorConfig;
  /** 1: grey, 3: red, green, blue. */
  readonly channels: 1 | 3;
  /** Of what the model sees. */
  readonly width: number;
  readonly height: number;
  /** Resized, cropped, in the right number of channels: [height, width, channels]. */
  pixels(image: RawImage): RawImage;
  /** What the model sees of each level of each channel, rescaled and normalized: [channels, 256]. */
  readonly levels: Float32Array;
}

/** Pillow's numbers. */
const RESAMPLES: readonly Resample[] = ['nearest', 'lanczos', 'bilinear', 'bicubic', 'box', 'hamming'];

/** Image processors whose size, where it is one number, is that of the shorter edge; of the others it is both edges. */
const SHORTEST_EDGE = /^(CLIP|ChineseCLIP|ConvNext|Levit|MobileNetV[12]|MobileViT|PoolFormer|VideoMAE|Perceiver|Blip)/;

/**
 * Reads a `preprocessor_config.json`. Throws 'invalid-data' for what is none, and 'unsupported' for what it asks that Lathe does
 * not do: padding, an offset, a size that changes from image to image.
 */
export function imagePreprocessing(
  json: unknown,
  options: { readonly channels: 1 | 3; readonly file?: string },
): ImagePreprocessing {
  const { channels, file = 'preprocessor_config.json' } = options;
  const parsed = configSchema.safeParse(json);
  if (!parsed.success) throw new LatheError('invalid-data', `${file}: ${z.prettifyError(parsed.error)}`);
  const config = parsed.data;
  for (const key of ['do_pad', 'rescale_offset'] as const) {
    if (config[key] === true) throw new LatheError('unsupported', `${file}: ${key} is not supported`);
  }
  const steps = stepsOf(config, file);
  const { width, height } = finalSize(steps, file);
  const resample = RESAMPLES[config.resample ?? 2]!;
  return {
    config,
    channels,
    width,
    height,
    levels: levelsOf(config, channels, file),
    pixels: (image) =>
      steps.reduce(
        (current, step) =>
          step.kind === 'crop' ? centerCrop(current, step) : resize(current, step.sizeOf(current), resample),
        withChannels(image, channels),
      ),
  };
}

interface Size {
  readonly width: number;
  readonly height: number;
}

type Step =
  | { readonly kind: 'resize'; readonly fixed?: Size; readonly sizeOf: (image: Size) => Size }
  | ({ readonly kind: 'crop' } & Size);

function stepsOf(config: PreprocessorConfig, file: string): Step[] {
  const type = config.image_processor_type ?? config.feature_extractor_type ?? '';
  const steps: Step[] = [];
  if (config.do_resize !== false && config.size !== null && config.size !== undefined) {
    const edges = edgesOf(config.size, SHORTEST_EDGE.test(type));
    const cropped = type.startsWith('ConvNext') && 'shortest' in edges ? edges.shortest : undefined;
    if (cropped === undefined) steps.push(resizeTo(edges, file));
    else if (cropped >= 384) steps.push(resizeTo({ width: cropped, height: cropped }, file));
    else {
      steps.push(resizeTo({ shortest: Math.trunc(cropped / (config.crop_pct ?? 224 / 256)) }, file));
      steps.push({ kind: 'crop', width: cropped, height: cropped });
    }
  }
  if (config.do_center_crop === true) {
    const edges = edgesOf(config.crop_size ?? config.size ?? {}, false);
    if (!('width' in edges)) throw new LatheError('invalid-data', `${file}: crop_size needs height and width`);
    steps.push({ kind: 'crop', ...edges });
  }
  return steps;
}

type Edges = Size | { readonly shortest: number; readonly longest?: number };

function edgesOf(size: NonNullable<PreprocessorConfig['size']>, isShortest: boolean): Edges {
  if (typeof size === 'number') return isShortest ? { shortest: size } : { width: size, height: size };
  const { height, width, shortest_edge: shortest, longest_edge: longest } = size;
  if (typeof height === 'number' && typeof width === 'number') return { width, height };
  return typeof shortest === 'number'
    ? { shortest, ...(typeof longest === 'number' && { longest }) }
    : { shortest: Number.NaN };
}

function resizeTo(edges: Edges, file: string): Step {
  if ('width' in edges) return { kind: 'resize', fixed: edges, sizeOf: () => edges };
  const { shortest, longest } = edges;
  if (Number.isNaN(shortest) || longest !== undefined) {
    throw new LatheError('unsupported', `${file}: size must be height and width, or shortest_edge alone`);
  }
  return {
    kind: 'resize',
    sizeOf({ width, height }) {
      const longer = Math.trunc((shortest * Math.max(width, height)) / Math.min(width, height));
      return width <= height ? { width: shortest, height: longer } : { width: longer, height: shortest };
    },
  };
}

function finalSize(steps: readonly Step[], file: string): Size {
  const last = steps.at(-1);
  const size = last?.kind === 'resize' ? last.fixed : last;
  if (size !== undefined) return size;
  throw new LatheError('unsupported', `${file}: images keep sizes of their own, and a batch needs one`, {
    hint: 'Give size a height and a width, or add do_center_crop and crop_size.',
  });
}

/** In float32, in the order of Hugging Face's image processors: its rounding is theirs. */
function levelsOf(config: PreprocessorConfig, channels: number, file: string): Float32Array {
  const scale = config.do_rescale === false ? 1 : (config.rescale_factor ?? 1 / 255);
  const normalized = config.do_normalize !== false && config.image_mean != null && config.image_std != null;
  const levels = new Float32Array(channels * 256);
  for (let channel = 0; channel < channels; channel++) {
    const mean = normalized ? Math.fround(ofChannel(config.image_mean!, channel, channels, `${file}: image_mean`)) : 0;
    const std = normalized ? Math.fround(ofChannel(config.image_std!, channel, channels, `${file}: image_std`)) : 1;
    for (let level = 0; level < 256; level++) {
      levels[channel * 256 + level] = Math.fround(Math.fround(level * scale) - mean) / std;
    }
  }
  return levels;
}

function ofChannel(values: number | readonly number[], channel: number, channels: number, what: string): number {
  if (typeof values === 'number') return values;
  if (values.length === channels) return values[channel]!;
  throw new LatheError('invalid-data', `${what}: expected ${channels} numbers, got ${values.length}`);
}

/** The floats that a model takes, [channels, height, width], of pixels that {@link ImagePreprocessing.pixels} made. */
export function normalizePixels(
  data: Uint8Array,
  levels: Float32Array,
  into: Float32Array = new Float32Array(data.length),
): Float32Array {
  const channels = levels.length / 256;
  const pixels = data.length / channels;
  for (let channel = 0; channel < channels; channel++) {
    const start = channel * pixels;
    for (let pixel = 0, at = channel; pixel < pixels; pixel++, at += channels) {
      into[start + pixel] = levels[channel * 256 + data[at]!]!;
    }
  }
  return into;
}
