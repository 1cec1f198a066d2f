import { DATA_TYPES, LatheError } from '../../base/index.ts';
import { extendModel, GraphBuilder, int, type Model, tensorInfo, type Value } from '../../graph/index.ts';
import type { Loss } from './loss.ts';

export interface LossNames {
  /** The output of the model that the loss compares. */
  readonly predictions: string;
  /** The input to add for the labels. */
  readonly labels: string;
  /** An input to add that weighs the examples: float32 [batch], for labels of tokens [batch, sequence]. */
  readonly weights?: string;
}

/**
 * Adds a loss to a model: an input for the labels and one for each further column that the loss reads, and the scalar float32 outputs `loss` and `loss_weight`.
 *
 * `loss` is the weighted mean over the examples, and `loss_weight` what it was divided by: the number of examples, less
 * those ignored, each times its class's and its own weight. So batches of unequal size join exactly:
 * Σ loss · loss_weight / Σ loss_weight, and the same for gradients. Where no example counts, both are 0.
 *
 * Throws 'not-found' when the model has no such output, 'shape' when the output's rank is unknown, and 'usage' when the
 * model has values of these names already.
 */
export function attachLoss(model: Model, loss: Loss, names: LossNames): Model {
  const output = model.graph.outputs.find(({ name }) => name === names.predictions);
  if (output === undefined) {
    throw new LatheError(
      'not-found',
      `${loss.name}: the model has no output "${names.predictions}"; it has ${model.graph.outputs.map(({ name }) => `"${name}"`).join(', ')}`,
    );
  }
  if (output.type?.kind !== 'tensor' || output.type.shape === undefined || output.type.dtype !== 'float32') {
    throw new LatheError(
      'shape',
      `${loss.name}: the output "${names.predictions}" should be a float32 tensor of known rank`,
      { hint: 'Infer the shapes of the model first.' },
    );
  }
  const { shape } = output.type;
  const opset = model.opsets.find(({ domain }) => domain === '')?.version;
  const graph = new GraphBuilder({ ...(opset !== undefined && { opset }), extending: model.graph });
  const columns = loss.columns?.(shape) ?? {};
  refuseTaken(model, loss, [
    names.labels,
    ...Object.keys(columns),
    ...(names.weights === undefined ? [] : [names.weights]),
    'loss',
    'loss_weight',
  ]);
  const labels = loss.labels(shape);
  graph.input(names.labels, labels.dtype, labels.shape);
  for (const [name, { dtype, shape }] of Object.entries(columns)) graph.input(name, dtype, shape);
  const terms = loss.build(graph, { predictions: names.predictions, shape, labels: names.labels });
  const inputs = [
    tensorInfo(names.labels, labels),
    ...Object.entries(columns).map(([name, type]) => tensorInfo(name, type)),
  ];
  let { losses, weights } = terms;
  if (names.weights !== undefined) {
    const type = { dtype: 'float32', shape: loss.terms(shape) } as const;
    graph.input(names.weights, type.dtype, type.shape);
    inputs.push(tensorInfo(names.weights, type));
    losses = graph.mul(losses, names.weights);
    weights = weights === undefined ? names.weights : graph.mul(weights, names.weights);
  }
  mean(graph, losses, weights);
  const scalar = { dtype: 'float32', shape: [] } as const;
  return extendModel(model, graph, {
    inputs: [...model.graph.inputs, ...inputs],
    outputs: [...model.graph.outputs, tensorInfo('loss', scalar), tensorInfo('loss_weight', scalar)],
  });
}

function mean(graph: GraphBuilder, losses: Value, weights: Value | undefined): void {
  const total = (x: Value, as?: string): Value => graph.op('ReduceSum', [x], { keepdims: int(0) }, as);
  const weight =
    weights === undefined
      ? graph.op('Cast', [graph.op('Size', [losses])], { to: int(DATA_TYPES.float32.code) }, 'loss_weight')
      : total(weights, 'loss_weight');
  const none = graph.equal(weight, graph.scalar(0, 'float32'));
  graph.op('Div', [total(losses), graph.where(none, graph.scalar(1, 'float32'), weight)], {}, 'loss');
}

function refuseTaken({ graph }: Model, loss: Loss, names: readonly string[]): void {
  const taken = new Set([...graph.inputs.map(({ name }) => name), ...graph.initializers.keys()]);
  for (const node of graph.nodes) for (const name of node.outputs) taken.add(name);
  const name = names.find((candidate) => taken.has(candidate));
  if (name !== undefined) {
    throw new LatheError('usage', `${loss.name}: the model has a value "${name}" already`, {
      hint: 'Attach the loss to the model without one, or give the new input another name.',
    });
  }
}
