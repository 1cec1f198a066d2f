import { formatDims, isFloat, LatheError } from '../base/index.ts';
import {
  describeNode,
  type Graph,
  GraphBuilder,
  type InferredValue,
  inferTypes,
  isExpandable,
  type Model,
  type Node,
  readsOf,
  tensorInfo,
  type Value,
  type ValueInfo,
} from '../graph/index.ts';
import { assemble, withOutputs } from './assemble.ts';
import { withStatisticsOfBatches } from './batch-statistics.ts';
import { contextOf } from './context.ts';
import { type Known, knownValues, mayCarryGradient } from './known.ts';
import { withProductsForConvolutions } from './moving-convolutions.ts';
import { checkNames } from './names.ts';
import { raisedOperatorSet } from './operator-set.ts';
import type { GradientOptions } from './options.ts';
import { dependencyPath, describePath } from './path.ts';
import { recognizeGelu } from './recognize.ts';
import { type GradientRow, type GradientRule, refused } from './rule.ts';
import { GRADIENT_RULES } from './rules.ts';
import { scalarOf, zerosLike } from './shapes.ts';

/**
 * The model with the gradients of `of` as further outputs, `<name>_grad` for each name in `withRespectTo`, made of
 * standard operators. Outputs are `of`, the model's other outputs, then the gradients. Forward nodes are kept as they are,
 * but for convolutions that matrix products compute faster and normalizations whose statistics the backward pass needs; what
 * no output needs is left out. A value that `of` does not
 * depend on has a gradient of zeros.
 *
 * Throws a LatheError: `not-found` for a name that the model does not have, `unsupported` for an operator on the way
 * that has no rule (it names the node and the path that needs it), `shape` where `of` is not a scalar.
 */
export function gradient(given: Model, options: GradientOptions): Model {
  const rules = { ...GRADIENT_RULES, ...options.rules } as Readonly<Record<string, GradientRow>>;
  const givenTypes = inferTypes(given);
  checkNames(given.graph, givenTypes, options);
  const model = inFastForms(given, givenTypes, rules, options);
  const { graph } = model;
  const types = model === given ? givenTypes : inferTypes(model);
  const known = knownValues(graph, types, options.withRespectTo);
  const visible = new Set([options.of, ...options.withRespectTo, ...(options.keep ?? [])]);
  const plan = planWalk(recognizeGelu(graph, known, visible), graph, types, rules, options);
  const opset = raisedOperatorSet(
    model,
    plan.steps.map(({ node, rule }) => ({ node, operatorSet: rule.operatorSet })),
  );
  return walk(model, opset, types, known, plan, options);
}

/** The model with forward nodes that are faster to train, where their gradients are Lathe's own. */
function inFastForms(
  model: Model,
  types: ReadonlyMap<string, InferredValue>,
  rules: Readonly<Record<string, GradientRow>>,
  { withRespectTo }: GradientOptions,
): Model {
  const own = (opType: keyof typeof GRADIENT_RULES): boolean => rules[opType] === GRADIENT_RULES[opType];
  const normalized = own('BatchNormalization') ? withStatisticsOfBatches(model, types) : model;
  return own('Conv') ? withProductsForConvolutions(normalized, types, withRespectTo) : normalized;
}

interface Plan {
  /** The nodes to differentiate, in the order of the graph. */
  readonly steps: readonly { readonly node: Node; readonly rule: GradientRule }[];
  /** Values that depend on a wanted value in a differentiable way. */
  readonly active: ReadonlySet<string>;
}

const ON_INTEGERS = refused('it works on quantized integers, which gradients leave by DequantizeLinear alone');

/** Finds the nodes between the wanted values and `of`; only those are differentiated. */
function planWalk(
  nodes: readonly Node[],
  graph: Graph,
  types: ReadonlyMap<string, InferredValue>,
  rules: Readonly<Record<string, GradientRow>>,
  options: GradientOptions,
): Plan {
  const active = new Set(options.withRespectTo);
  const quantized = new Set<string>();
  const candidates: { node: Node; row: GradientRow | undefined }[] = [];
  for (const node of nodes) {
    if (!readsOf(node).some((name) => active.has(name))) continue;
    const row = rowOf(node, rules);
    if (row?.kind === 'noGradient') continue;
    const through = row?.kind === 'rule' && row.straightThrough === true;
    const onIntegers = !through && readsOf(node).some((name) => quantized.has(name));
    candidates.push({ node, row: onIntegers ? ON_INTEGERS : row });
    for (const name of node.outputs) {
      const carries = mayCarryGradient(types.get(name));
      if (name === '' || !(carries || through || onIntegers)) continue;
      active.add(name);
      if (!carries) quantized.add(name);
    }
  }
  const reached = new Set([options.of]);
  const steps: { node: Node; rule: GradientRule }[] = [];
  for (const { node, row } of candidates.reverse()) {
    if (!node.outputs.some((name) => reached.has(name) && active.has(name))) continue;
    if (row?.kind !== 'rule') throw withoutRule(graph, node, row, active, options);
    for (const name of node.inputs) if (active.has(name)) reached.add(name);
    steps.push({ node, rule: row });
  }
  return { steps: steps.reverse(), active };
}

function walk(
  model: Model,
  opset: number,
  types: ReadonlyMap<string, InferredValue>,
  known: Known,
  plan: Plan,
  options: GradientOptions,
): Model {
  const { graph } = model;
  const build = new GraphBuilder({ opset, extending: graph });
  const contributions = new Map<string, Value[]>();
  const extraOutputs = new Map<Node, Map<number, string>>();
  const gradientOf = (value: string): Value | undefined => {
    const list = contributions.get(value);
    if (list === undefined) return undefined;
    // Two at a time: three of 12 MB take 2.5 ms so, and 3 ms by Sum.
    const total = list.reduce((sum, contribution) => build.add(sum, contribution));
    contributions.set(value, [total]);
    return total;
  };
  const seed = seedOf(build, known, options);
  contributions.set(options.of, [seed.value]);
  for (const { node, rule } of plan.steps.toReversed()) {
    const context = contextOf(node, { build, known, active: plan.active, gradientOf, extraOutputs });
    const gradients = naming(node, () => rule.gradients(context));
    for (const [index, name] of node.inputs.entries()) {
      const contribution = gradients[index];
      if (contribution === undefined || !plan.active.has(name)) continue;
      const list = contributions.get(name);
      if (list === undefined) contributions.set(name, [contribution]);
      else list.push(contribution);
    }
  }
  const results = options.withRespectTo.map((name) => ({
    name,
    value: gradientOf(name) ?? zerosLike({ build, ...known }, name),
  }));
  const nodes = graph.nodes.map((node) => withOutputs(node, extraOutputs.get(node)));
  return assemble(model, build, { forward: nodes, results, contributions, seedInput: seed.input, types, options });
}

/** The gradient of `of` with respect to itself: 1, or the input that the caller asked for. */
function seedOf(
  build: GraphBuilder,
  known: Known,
  { of, seed }: GradientOptions,
): { readonly value: Value; readonly input?: ValueInfo } {
  const type = known.typeOf(of);
  const dtype = known.dataTypeOf(of);
  if (!isFloat(dtype)) {
    throw new LatheError('shape', `"${of}": expected floating-point numbers to differentiate, got ${dtype}`);
  }
  if (seed !== undefined) {
    if (build.unique(seed) !== seed) {
      throw new LatheError('usage', `seed "${seed}": the model already has a value or node of this name`);
    }
    return { value: seed, input: tensorInfo(seed, { dtype, ...(type?.shape && { shape: type.shape }) }) };
  }
  if (type?.shape === undefined || !type.shape.every((dim) => dim === 1)) {
    const got = type?.shape === undefined ? 'a shape that is not known' : formatDims(type.shape);
    throw new LatheError('shape', `"${of}": expected a scalar to differentiate, got ${got}`, {
      hint: 'Reduce it to one number first (ReduceMean), or give `seed` to start from a gradient of your own.',
    });
  }
  const one = scalarOf({ build }, 1, dtype);
  return {
    value:
      type.shape.length === 0
        ? one
        : build.unsqueeze(
            one,
            type.shape.map((_, axis) => axis),
          ),
  };
}

/** Runs a rule, and says which node it was for where it throws. */
function naming<T>(node: Node, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof LatheError) || error.message.startsWith(describeNode(node))) throw error;
    const { code, hint } = error;
    const what = hint === undefined ? error.message : error.message.slice(0, -hint.length).trimEnd();
    throw new LatheError(code, `${describeNode(node)}: ${what}`, { cause: error, ...(hint !== undefined && { hint }) });
  }
}

function rowOf(node: Node, rules: Readonly<Record<string, GradientRow>>): GradientRow | undefined {
  const key = node.domain === '' ? node.opType : `${node.domain}.${node.opType}`;
  return Object.hasOwn(rules, key) ? rules[key] : undefined;
}

function withoutRule(
  graph: Graph,
  node: Node,
  row: GradientRow | undefined,
  active: ReadonlySet<string>,
  { of, withRespectTo }: GradientOptions,
): LatheError {
  const { from, nodes } = dependencyPath(graph, node, active, withRespectTo, of);
  const reason = row?.kind === 'refused' ? row.reason : 'there is no rule for this operator';
  const rewrite = isExpandable(node) ? 'write it in standard operators (expandOperators())' : 'rewrite the node';
  return new LatheError('unsupported', `${describeNode(node)} has no gradient: ${reason}`, {
    hint:
      `The path ${describePath(from, nodes, node, of)} needs it. ` +
      `Leave "${from}" out of what you differentiate by, ${rewrite}, or pass a rule for it in \`rules\`.`,
  });
}
