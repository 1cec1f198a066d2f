import { LatheError } from '../base/index.ts';
import { ARCHITECTURES, encoderSettings, type HuggingFaceConfig, type ModelType } from '../nn/index.ts';

const MODEL_TYPES = Object.keys(ARCHITECTURES) as ModelType[];

/**
 * Why Lathe does not build the model of a checkpoint with this parsed `config.json` (undefined without one), or undefined
 * when it does.
 */
export function checkpointRefusal(config: unknown): string | undefined {
  if (typeof config !== 'object' || config === null) return 'it has no config.json that says what the checkpoint is';
  const { model_type: type } = config as HuggingFaceConfig;
  const known = MODEL_TYPES.find((name) => name === type);
  if (known === undefined)
    return `it is of the model type ${JSON.stringify(type) ?? 'none'}, supported are ${MODEL_TYPES.join(', ')}`;
  try {
    encoderSettings(config as HuggingFaceConfig, known);
    return undefined;
  } catch (error) {
    if (error instanceof LatheError) return error.message;
    throw error;
  }
}
