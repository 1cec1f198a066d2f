import type { Model } from '../../graph/index.ts';
import type { HuggingFaceConfig } from '../transformer/config.ts';
import { mobilenetV3Small } from './mobilenet-v3.ts';
import { type ImageModelOptions, RESNETS, type ResNetShape, resnet } from './resnet.ts';

interface ImageArchitecture {
  readonly build: (options: ImageModelOptions) => Model;
  /** What stands in its config.json, beside labels and channels. */
  readonly config: HuggingFaceConfig;
  /** Pixels of a side, where neither the user nor the images say. */
  readonly side: number;
}

function residual(name: keyof typeof RESNETS, side: number): ImageArchitecture {
  const shape: ResNetShape = RESNETS[name];
  return {
    side,
    build: (options) => resnet(shape, options),
    config: {
      architectures: ['ResNetForImageClassification'],
      model_type: 'resnet',
      embedding_size: shape.stages[0]![0],
      hidden_sizes: shape.stages.map(([channels]) => channels),
      depths: shape.stages.map(([, blocks]) => blocks),
      layer_type: 'basic',
      hidden_act: 'relu',
      downsample_in_first_stage: false,
    },
  };
}

/** Architectures for images that are trained from scratch, by the name that `--arch` takes. */
export const IMAGE_ARCHITECTURES = {
  'resnet-8': residual('resnet-8', 64),
  'resnet-18': residual('resnet-18', 96),
  'mobilenet-v3-small': {
    side: 96,
    build: mobilenetV3Small,
    config: { architectures: ['MobileNetV3ForImageClassification'], model_type: 'mobilenet_v3' },
  },
} as const satisfies Readonly<Record<string, ImageArchitecture>>;

export type ImageArchitectureName = keyof typeof IMAGE_ARCHITECTURES;
export const IMAGE_ARCHITECTURE_NAMES = Object.keys(IMAGE_ARCHITECTURES) as readonly ImageArchitectureName[];
