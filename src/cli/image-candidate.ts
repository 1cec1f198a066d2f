import { jsonText, LatheError } from '../base/index.ts';
import { imagePreprocessing, type PreparedDataset } from '../data/index.ts';
import { inferTypes, type Model } from '../graph/index.ts';
import { IMAGE_ARCHITECTURES, type ImageArchitectureName, labelFields, trainingForm } from '../nn/index.ts';
import { imageFeatures, PREPROCESSOR_FILE } from '../pipeline/index.ts';
import type { TrainableTask } from '../train/index.ts';
import type { Candidate } from './candidate.ts';
import type { ImageReader } from './start/graph.ts';

/** What the images of a train split have in common. */
export interface ImageFacts {
  /** 1 where all of them are grey. */
  readonly channels: 1 | 3;
  /** Pixels of a side, where all of them are squares of one size. */
  readonly side?: number;
}

export async function imageFactsOf(dataset: PreparedDataset): Promise<ImageFacts> {
  let channels: 1 | 3 = 1;
  const sizes = new Set<string>();
  for await (const { width, height, channels: own } of dataset.rows('train')) {
    if (own !== 1) channels = 3;
    sizes.add(`${width}×${height}`);
  }
  const [width, height] = sizes.size === 1 ? [...sizes][0]!.split('×').map(Number) : [];
  return { channels, ...(width !== undefined && width === height && { side: width }) };
}

/** Images of one size that a small model sees as they are; larger ones are scaled to what the architecture is for. */
const LARGEST_OWN_SIDE = 96;

/** A model for images from scratch: its graph, and what makes its input of an image file. */
export function imageCandidate(
  name: ImageArchitectureName,
  options: {
    readonly task: TrainableTask;
    readonly labels: readonly string[];
    readonly images: ImageFacts;
    /** Pixels of a side; default: that of the images, or of the architecture. */
    readonly side?: number | undefined;
    readonly seed: number;
  },
): Candidate {
  const { task, labels, images, seed } = options;
  const { build, config, side: usual } = IMAGE_ARCHITECTURES[name];
  const { channels, side: own } = images;
  const side = options.side ?? (own !== undefined && own <= LARGEST_OWN_SIDE ? own : usual);
  if (side < 8) throw new LatheError('usage', `--image-size: expected 8 pixels or more, got ${side}`);
  const preprocessor = usualPreprocessor(channels, { height: side, width: side });
  const model = build({ channels, side, classes: labels.length, seed });
  return {
    name,
    forms: { model, trainingForm: trainingForm(model) },
    features: imageFeatures(
      { kind: 'image', input: 'pixel_values', channels },
      imagePreprocessing(preprocessor, { channels }),
    ),
    files: {
      'config.json': jsonText({
        ...config,
        num_channels: channels,
        image_size: side,
        problem_type: task.config.problemType,
        ...labelFields(labels),
      }),
      [PREPROCESSOR_FILE]: jsonText(preprocessor),
    },
    defaults: { learningRate: 2e-3, epochs: 15, batchSize: 32, warmup: 0.1, schedule: 'cosine', patience: 5 },
  };
}

function usualPreprocessor(channels: 1 | 3, size: { readonly height: number; readonly width: number }) {
  return {
    image_processor_type: 'ViTImageProcessor',
    do_resize: true,
    size,
    resample: 2,
    do_rescale: true,
    rescale_factor: 1 / 255,
    do_normalize: true,
    image_mean: new Array<number>(channels).fill(0.5),
    image_std: new Array<number>(channels).fill(0.5),
    // The second is a word of transformers.js alone.
    do_convert_rgb: channels === 3,
    ...(channels === 1 && { do_convert_grayscale: true }),
  };
}

/**
 * What stands before a graph of images: its own preprocessor_config.json, or else a size and the levels -1 to 1. Throws
 * 'usage' for a size that the graph does not take.
 */
export function imagesOfGraph(
  source: string,
  { input, channels, preprocessor, size }: ImageReader,
  model: Model,
  { imageSize }: { readonly imageSize?: number | undefined },
): Pick<Candidate, 'features' | 'files' | 'defaults'> {
  const side = imageSize ?? USUAL_SIDE;
  const asked = imageSize === undefined ? size : { height: side, width: side };
  const chosen = {
    ...(preprocessor ?? usualPreprocessor(channels, asked ?? { height: side, width: side })),
    ...(preprocessor !== undefined && imageSize !== undefined && { do_center_crop: false, size: asked }),
  };
  const preprocessing = imagePreprocessing(chosen, { channels });
  const { height, width } = preprocessing;
  if (size !== undefined && (size.height !== height || size.width !== width)) {
    throw new LatheError(
      'usage',
      `"${source}" takes images of ${size.width} × ${size.height} pixels, ${imageSize === undefined ? `its ${PREPROCESSOR_FILE} makes` : '--image-size asks for'} ${width} × ${height}`,
    );
  }
  try {
    inferTypes(model, { inputs: { [input]: { dtype: 'float32', shape: ['batch', channels, height, width] } } });
  } catch (cause) {
    if (!(cause instanceof LatheError) || cause.code !== 'shape') throw cause;
    throw new LatheError('usage', `"${source}" does not take images of ${width} × ${height} pixels: ${cause.message}`, {
      hint: 'Choose another --image-size.',
      cause,
    });
  }
  return {
    features: imageFeatures({ kind: 'image', input, channels }, preprocessing),
    files: { [PREPROCESSOR_FILE]: jsonText(chosen) },
    defaults: { learningRate: 1e-3, epochs: 10, batchSize: 32, warmup: 0.1, schedule: 'cosine', patience: 5 },
  };
}

/** Of models that take images of any size, where nobody says which. */
const USUAL_SIDE = 224;
