import type { Tensor } from '../../base/index.ts';
import {
  convertOperatorSet,
  DEFAULT_OPSET,
  foldConstants,
  GraphBuilder,
  liftConstants,
  type Model,
  type Node,
  nodesGiving,
  opsetOf,
  removeDeadNodes,
  replaceNodes,
  type Value,
} from '../../graph/index.ts';
import { type EmbeddingForm, integerRows } from './integer-rows.ts';
import { constantsOf, type LinearNode, linearNode, scaledConstant } from './linear-nodes.ts';

export interface ProductOptions {
  /** What becomes of tables: a scale a row, one for the whole table, or floats as they are. Default rows. */
  readonly embeddings?: EmbeddingForm | 'float';
  /** Matrices and tables of fewer elements stay floats: they save nothing. Default 4096. */
  readonly minimumElements?: number;
  /** Nodes to leave as they are, by their first output. */
  readonly except?: ReadonlySet<string>;
}

export interface Quantized {
  readonly model: Model;
  readonly changed: boolean;
  /** The nodes that became integer ones, by their first output. */
  readonly quantized: readonly string[];
  /** Those that could have, and why they did not. */
  readonly kept: readonly { readonly node: string; readonly reason: string }[];
}

/** Writes a product in another form. `constant` reads initializers. */
export type WriteProduct = (
  build: GraphBuilder,
  linear: LinearNode,
  constant: (name: string) => Tensor | undefined,
) => Value;

/**
 * Writes every product with a constant matrix in another form (its bias is added behind), and tables that rows are taken
 * from as int8. A model older than operator set 17 is raised to it, or to the one that is needed; domains that are needed are
 * imported. Nodes in subgraphs stay.
 */
export function rewriteProducts(
  given: Model,
  options: ProductOptions,
  write: WriteProduct,
  needs: { readonly opset?: number; readonly domains?: readonly string[] } = {},
): Quantized {
  const { minimumElements = 4096, embeddings = 'rows', except = new Set() } = options;
  const model = prepared(given, needs.opset);
  const constant = constantsOf(model);
  const build = new GraphBuilder({ opset: opsetOf(model)!, extending: model.graph });
  const replaced = new Map<Node, readonly Node[]>();
  const quantized: string[] = [];
  const kept: { node: string; reason: string }[] = [];
  for (const node of model.graph.nodes) {
    const output = node.outputs[0]!;
    const linear = linearNode(node, constant);
    const form =
      linear !== undefined
        ? (): Value => withBias(build, linear, constant, write(build, linear, constant))
        : embeddings === 'float'
          ? undefined
          : integerRows(build, node, constant, embeddings);
    if (form === undefined) continue;
    const elements = constant(linear?.weight ?? node.inputs[0]!)!.data.length;
    if (except.has(output)) kept.push({ node: output, reason: 'it was named to be left' });
    else if (elements < minimumElements)
      kept.push({ node: output, reason: `its ${elements} weights are fewer than ${minimumElements}` });
    else {
      replaced.set(
        node,
        nodesGiving(build, node.outputs, () => [form()]),
      );
      quantized.push(output);
    }
  }
  if (quantized.length === 0) return { model: given, changed: false, quantized, kept };
  const written = removeDeadNodes(replaceNodes(model, build, replaced)).model;
  const known = new Set(written.opsets.map(({ domain }) => domain));
  const added = (needs.domains ?? []).filter((domain) => !known.has(domain));
  const opsets = [...written.opsets, ...added.map((domain) => ({ domain, version: 1 }))];
  return { model: { ...written, opsets }, changed: true, quantized, kept };
}

/** With weights in one place, whatever the exporter: as initializers, already transposed. */
export function prepared(model: Model, opset = DEFAULT_OPSET): Model {
  const lifted = liftConstants(convertOperatorSet(model, { to: opset }).model).model;
  // Nothing grows: integers that another quantized already stay integers.
  return foldConstants(lifted, { weights: true, maximumBytes: 0 }).model;
}

function withBias(
  build: GraphBuilder,
  { weight, bias }: LinearNode,
  constant: (name: string) => Tensor | undefined,
  y: Value,
): Value {
  if (bias === undefined) return y;
  if (bias.scale === 1) return build.add(y, bias.name);
  const constantBias = scaledConstant(constant(bias.name), bias.scale);
  if (constantBias !== undefined) return build.add(y, build.constant(constantBias, `${weight}_bias`));
  return build.add(y, build.mul(bias.name, build.scalar(bias.scale, 'float32')));
}
