import { LatheError } from '../base/errors.ts';
import { formatType, freeBatch, inferShapes, inferTypes, liftConstants, type Model, opsetOf } from '../graph/index.ts';
import { attachHead, bufferUpdates, replaceHead, trainingForm } from '../nn/index.ts';
import { prepareModel } from './prepare-model.ts';
import type { Forms } from './tasks/trainable-task.ts';
import { trainability, trainableParameters } from './trainable.ts';

export interface GraphFormsOptions {
  /** How many values the head gives. */
  readonly classes: number;
  /** What the head answers for: an example (default), or each token of one. */
  readonly rows?: 'examples' | 'tokens';
  /** The output that the head computes. Default: the only one, `logits`, or `last_hidden_state`. */
  readonly head?: string;
  /** The head's parameters stay as they are where it has as many classes. Default false: it starts anew. */
  readonly keepHead?: boolean;
  /** The input that says which places of a sequence count. */
  readonly mask?: string;
  /** Patterns of parameters that stay as they are. */
  readonly freeze?: readonly string[];
  /** Batch normalization keeps its running statistics and normalizes by them. Default: where its parameters are frozen. */
  readonly freezeBatchNorm?: boolean;
  /** Of the head's initialization; default 0. */
  readonly seed?: number;
}

export interface GraphForms extends Forms {
  /** The output that gives the logits. */
  readonly output: string;
  /** Parameters of the head. */
  readonly head: readonly string[];
  /** Those of them that start anew. */
  readonly initialized: readonly string[];
  /** Values of an example that the head reads. */
  readonly features: number;
}

/**
 * The forms of any ONNX model that training needs, with a head of `classes` values: the last linear layer replaced, or one
 * put on hidden states. `model` is the given one but for the head, so that trained values go back to where they came
 * from; the forms that are trained may have other nodes for the same parameters. Throws what the head and the passes throw.
 */
export function graphForms(given: Model, options: GraphFormsOptions): GraphForms {
  const source = freeBatch(liftConstants(withoutInitializerInputs(given)).model).model;
  const { output, model: anew } = withHead(source, options);
  const head = differing(anew, source);
  const headed = options.keepHead === true ? withOldValues(anew, source) : anew;
  const weight = head
    .map((name) => liftConstants(headed).model.graph.initializers.get(name)!.dims)
    .find((dims) => dims.length >= 2);
  return {
    ...formsOf(headed, options),
    output,
    head,
    initialized: differing(headed, source),
    features: weight === undefined ? 0 : weight.reduce((size, dim) => size * dim, 1) / options.classes,
  };
}

/**
 * The forms of any ONNX model that training needs, with the outputs that it has. `model` is the given one where trained values
 * fit it as it is. Throws what `prepareModel` throws.
 */
export function formsOf(
  model: Model,
  options: Pick<GraphFormsOptions, 'freeze' | 'freezeBatchNorm'> = {},
): Required<Forms> {
  const prepared = inferShapes(prepareModel(model)).model;
  const trained = new Set(trainableParameters(prepared, options.freeze));
  const training = trainingForm(prepared, {
    frozen: (node) => options.freezeBatchNorm === true || !node.inputs.slice(1, 3).some((name) => trained.has(name)),
  });
  const changed = [...trained, ...bufferUpdates(training).map(({ name }) => name)];
  const own = liftConstants(model).model.graph.initializers;
  return {
    model: changed.every((name) => own.has(name)) ? model : prepared,
    trainingForm: training,
    validationForm: prepared,
  };
}

/** Names of the parameters of a model that another has not, or with other values. Other constants are no weights. */
function differing(model: Model, other: Model): string[] {
  const own = liftConstants(model).model;
  const known = liftConstants(other).model.graph.initializers;
  return trainability(own)
    .filter(({ name, trained }) => trained && known.get(name)?.content !== own.graph.initializers.get(name)!.content)
    .map(({ name }) => name);
}

interface Headed {
  readonly model: Model;
  readonly output: string;
}

/** Outputs that a head is put on where the user names none. */
const USUAL_OUTPUTS = ['logits', 'last_hidden_state'];

function withHead(model: Model, { classes, rows = 'examples', head, mask, seed = 0 }: GraphFormsOptions): Headed {
  const names = model.graph.outputs.map(({ name }) => name);
  const output = head ?? (names.length === 1 ? names[0]! : USUAL_OUTPUTS.find((name) => names.includes(name)));
  if (output === undefined || !names.includes(output)) {
    throw new LatheError(
      'usage',
      output === undefined ? 'the model has several outputs' : `--head: the model has no output "${output}"`,
      {
        hint: `Name the one that the head computes (--head OUTPUT): ${model.graph.outputs.map(({ name, type }) => `${name} ${type === undefined ? '' : formatType(type)}`.trim()).join(', ')}.`,
      },
    );
  }
  const attached = (): Headed => {
    const supported = (opsetOf(model) ?? 0) >= 13 ? model : prepareModel(model);
    const result = attachHead(supported, { classes, output, rows, seed, ...(mask !== undefined && { mask }) });
    return { model: result, output: result.graph.outputs[0]!.name };
  };
  let replaced: Model;
  try {
    replaced = replaceHead(model, { classes, output, seed });
  } catch (error) {
    // No linear layer is last: these are features.
    if (error instanceof LatheError && error.code === 'unsupported') return attached();
    throw error;
  }
  const type = inferTypes(replaced).get(output)?.type;
  const rank = type?.kind === 'tensor' ? type.shape?.length : undefined;
  const wanted = rows === 'examples' ? 2 : 3;
  if (rank === undefined || rank === wanted) return { model: replaced, output };
  if (rows === 'examples' && rank === 3 && output !== 'logits') return attached();
  throw new LatheError(
    'unsupported',
    `a new head: output "${output}" is ${formatType(type!)}, expected logits ${rows === 'examples' ? '[batch, classes]' : '[batch, sequence, classes]'}`,
    { hint: 'Name another output with --head, or export the model for feature extraction.' },
  );
}

/** Where a new initializer has the name and the dimensions of an old one, it begins as that. */
function withOldValues(model: Model, old: Model): Model {
  const before = liftConstants(old).model.graph.initializers;
  const initializers = [...model.graph.initializers].map(([name, value]) => {
    const known = before.get(name);
    return [name, known !== undefined && known.dims.join() === value.dims.join() ? known : value] as const;
  });
  return { ...model, graph: { ...model.graph, initializers: new Map(initializers) } };
}

/** Before IR version 4 every weight had to be an input as well; now it would be one that callers may leave out. */
function withoutInitializerInputs(model: Model): Model {
  const { graph } = model;
  const inputs = graph.inputs.filter(({ name }) => !graph.initializers.has(name));
  return { ...model, irVersion: Math.max(4, model.irVersion), graph: { ...graph, inputs } };
}
