import { LatheError } from '../base/index.ts';
import type { TensorDataset } from '../data/index.ts';
import { trainingForm } from '../nn/index.ts';
import { type Cut, cutFrozenPart, type Forms, keepFeatures } from '../train/index.ts';
import type { Terminal } from './terminal.ts';

/** What is trained, and on what. */
export interface Training {
  readonly forms: Forms;
  readonly data: { readonly train: TensorDataset; readonly validation: TensorDataset };
}

/**
 * The part of a model behind what is frozen, with data sets of what the frozen part gives, computed once. Where that cannot be
 * kept, a warning says why, and all of the model is run in every step.
 */
export async function onKeptFeatures(
  { forms, data }: Training,
  trained: readonly string[],
  name: string,
  terminal: Terminal,
): Promise<Training> {
  let cut: Cut;
  try {
    cut = cutFrozenPart(forms.validationForm ?? forms.model, trained);
  } catch (error) {
    if (!(error instanceof LatheError) || error.code !== 'unsupported') throw error;
    terminal.warn(`the frozen part is run in every step: ${error.message}`);
    return { forms, data };
  }
  const examples = data.train.size + data.validation.size;
  const progress = terminal.progress(`features by ${name}`);
  const keep = (dataset: TensorDataset, before: number): Promise<TensorDataset> =>
    keepFeatures(cut, dataset, {
      signal: terminal.signal,
      onProgress: (done) => progress.update(before + done, examples),
    });
  const kept = { train: await keep(data.train, 0), validation: await keep(data.validation, data.train.size) };
  progress.done(`features by ${name}: ${examples} examples`);
  const parameters = new Set(trained);
  const frozen = ({ inputs }: { readonly inputs: readonly string[] }): boolean =>
    !inputs.slice(1, 3).some((input) => parameters.has(input));
  return { forms: { model: cut.rest, trainingForm: trainingForm(cut.rest, { frozen }) }, data: kept };
}
