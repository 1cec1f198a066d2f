import { LatheError } from '../../base/index.ts';
import { readModel } from '../../graph/index.ts';
import { ARCHITECTURES, type HuggingFaceConfig, type ModelType } from '../../nn/index.ts';
import { openPackage } from '../../pipeline/index.ts';
import type { Terminal } from '../terminal.ts';
import { type ArchitectureStart, architectureStart } from './architecture.ts';
import { type GraphStart, graphStart } from './graph.ts';
import { findModel, type ModelFiles, readConfig } from './model-files.ts';
import type { StartOptions } from './text-reader.ts';

/** A trained model to begin with. */
export type Start = ArchitectureStart | GraphStart;

/**
 * Opens what `--model` names as the start of a task: any source of the zoo, which is a package, a Hugging Face checkpoint
 * or an ONNX file. Throws 'unsupported' for models that the task cannot begin with.
 */
export async function openStart(source: string, options: StartOptions, terminal: Terminal): Promise<Start> {
  const found = await findModel(source, terminal);
  if (found.kind === 'package') return fromPackage(found, options);
  return found.kind === 'checkpoint' ? architectureStart(found, options) : graphStart(found, options);
}

/** A package is of an architecture that Lathe builds, or of a graph that came from elsewhere. */
async function fromPackage(found: ModelFiles, options: StartOptions): Promise<Start> {
  const opened = await openPackage(found.folder);
  const graph = { ...found, modelFile: opened.modelPath() };
  const { kind } = opened.manifest.pipeline.features;
  if (kind === 'n-grams') {
    throw new LatheError(
      'unsupported',
      `"${found.source}" is a linear model: only transformers can be the start of a task`,
    );
  }
  if (kind === 'image') return graphStart(graph, options);
  const { initializers } = (await readModel(opened.modelPath(), { loadExternalData: false })).graph;
  return isBuilt(await readConfig(found.folder), initializers)
    ? architectureStart(found, options)
    : graphStart(graph, options);
}

/** Whether Lathe builds the graph with these parameters from this configuration: exporters name parameters otherwise. */
function isBuilt(config: HuggingFaceConfig | undefined, parameters: ReadonlyMap<string, unknown>): boolean {
  const type = config?.model_type;
  if (typeof type !== 'string' || !Object.hasOwn(ARCHITECTURES, type)) return false;
  const { layers, layer } = ARCHITECTURES[type as ModelType];
  return parameters.has(`${layers(0, 0)}.${layer.query}.weight`);
}
