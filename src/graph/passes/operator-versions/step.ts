import type { LatheError } from '../../../base/errors.ts';
import type { Tensor } from '../../../base/tensor.ts';
import type { GraphBuilder, Value } from '../../builder.ts';
import type { Node, TensorType } from '../../ir.ts';

/**
 * The versions of one operator, by the operator set that each came with. The first is where the operator began; each
 * later one is the step that writes a node of the version before in its own form, with the same meaning.
 */
export type History = Readonly<Record<number, Step>>;

/** Gives the node in the form of the next version. Throws what `refuse` gives where that has no form for it. */
export type Step = (context: StepContext) => Node;

export interface StepContext {
  /** In the form of the version before. */
  readonly node: Node;
  /** Writes nodes before this one, in the form of the operator set that the model is raised to. */
  readonly build: GraphBuilder;
  readonly target: number;
  readonly has: (index: number) => boolean;
  /** The type of an input, where it is known. */
  readonly typeOf: (index: number) => TensorType | undefined;
  /** The value of an input that is a constant of the model. */
  readonly constantOf: (index: number) => Tensor | undefined;
  /** Whether an output has a name that something reads. */
  readonly reads: (output: number) => boolean;
  /** The node with an output that `write` turns into what the output was before: its nodes come after this one. */
  readonly rewriting: (node: Node, output: number, write: (value: Value) => Value) => Node;
  readonly refuse: (what: string) => LatheError;
}

/** A version that allows more (element types, inputs that may be left out): what was valid means the same. */
export const same: Step = ({ node }) => node;

/** The version that an operator began with. */
export const first = same;

/** Steps one after the other, for a version that changed several things. */
export function both(...steps: readonly Step[]): Step {
  return (context) => steps.reduce((node, step) => step({ ...context, node }), context.node);
}

/** Without attributes that said nothing about the result. */
export function without(...names: readonly string[]): Step {
  return ({ node }) => {
    if (!names.some((name) => node.attributes.has(name))) return node;
    return { ...node, attributes: new Map([...node.attributes].filter(([name]) => !names.includes(name))) };
  };
}

/** Before operator set 6, which inputs might be overwritten by the results. */
export const withoutConsumed = without('consumed_inputs');

/** Another name for the operator, with the same attributes and inputs. */
export function renamed(opType: string): Step {
  return ({ node }) => ({ ...node, opType });
}
