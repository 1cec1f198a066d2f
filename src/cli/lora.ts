import { LatheError, sizeOf } from '../base/index.ts';
import { liftConstants, type Model } from '../graph/index.ts';
import { type Adapter, adaptableWeights, withAdapters } from '../nn/index.ts';
import { type Forms, matching, trainableParameters } from '../train/index.ts';

/** What `--lora` says. */
export interface LoraSettings {
  readonly rank: number;
  readonly alpha?: number;
  /** Pattern of the weights that get adapters. Default: all weights of MatMul and Gemm but the head's. */
  readonly target?: string;
}

/** Reads `rank=8[,alpha=16][,target=PATTERN]`. Throws LatheError('usage') for anything else. */
export function parseLora(text: string): LoraSettings {
  const wrong = (what: string): LatheError =>
    new LatheError('usage', `--lora ${text}: ${what}`, {
      hint: 'Expected rank=8, rank=8,alpha=16 or rank=8,target=PATTERN.',
    });
  const given = new Map<string, string>();
  for (const part of text.split(',')) {
    const [, name, value] = /^(rank|alpha|target)=(.+)$/.exec(part.trim()) ?? [];
    if (name === undefined || value === undefined) throw wrong(`"${part}" is no setting of adapters`);
    given.set(name, value);
  }
  const [rank, alpha] = [Number(given.get('rank')), Number(given.get('alpha') ?? 1)];
  if (!Number.isInteger(rank) || rank < 1) throw wrong('expected a rank of 1 or more');
  if (!(alpha > 0 && Number.isFinite(alpha))) throw wrong('expected an alpha above 0');
  const target = given.get('target');
  return { rank, ...(given.has('alpha') && { alpha }), ...(target !== undefined && { target }) };
}

/** Forms of a model with adapters, and what is trained of them. */
export interface AdaptedForms {
  /** `model` is the one that the adapters are merged into: it has none. */
  readonly forms: Forms;
  readonly adapters: readonly Adapter[];
  /** The parameters of adapters and head. */
  readonly trainable: readonly string[];
  readonly counts: { readonly trained: number; readonly all: number };
}

/** Puts adapters beside the weights of a model's forms. Throws LatheError('usage') where no weight is meant. */
export function adaptForms(forms: Forms, head: readonly string[], settings: LoraSettings, seed: number): AdaptedForms {
  const { rank, alpha, target } = settings;
  const validation = liftConstants(forms.validationForm ?? forms.model).model;
  const parameters = new Set(trainableParameters(validation));
  const inPackage = liftConstants(forms.model).model.graph.initializers;
  const possible = adaptableWeights(validation).filter(
    (name) => parameters.has(name) && !head.includes(name) && inPackage.has(name),
  );
  // Two token types are no more than a rank of two: what is smaller than its adapter is left as it is.
  const larger = possible.filter((name) => Math.min(...inPackage.get(name)!.dims) > rank);
  if ((target === undefined ? larger : possible).length === 0) {
    throw new LatheError(
      'usage',
      `--lora: the model has no weight of MatMul or Gemm of more than ${rank} rows beside its head`,
      {
        hint: 'Train all of it, or its head alone with --freeze-backbone.',
      },
    );
  }
  const weights = target === undefined ? larger : [...matching(possible, [target], '--lora target')];
  const options = { rank, ...(alpha !== undefined && { alpha }), weights, seed };
  const { model: adapted, adapters } = withAdapters(validation, options);
  const { model: training } = withAdapters(liftConstants(forms.trainingForm).model, options);
  const trainable = [...adapters.flatMap(({ a, b }) => [a, b]), ...head];
  return {
    forms: { model: forms.model, trainingForm: training, validationForm: adapted },
    adapters,
    trainable,
    counts: { trained: countOf(adapted, trainable), all: countOf(validation, parameters) },
  };
}

function countOf({ graph }: Model, names: Iterable<string>): number {
  let count = 0;
  for (const name of names) count += sizeOf(graph.initializers.get(name)!.dims);
  return count;
}
