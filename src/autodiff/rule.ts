import type { DataType, Tensor } from '../base/index.ts';
import type { GraphBuilder, Node, Shape, TensorType, Value } from '../graph/index.ts';

/** A row of the table of gradient rules. */
export type GradientRow = GradientRule | NoGradient | Refusal;

export interface GradientRule {
  readonly kind: 'rule';
  /** The oldest operator set that the nodes of this rule exist in. */
  readonly operatorSet: number;
  /** Whether it takes or gives quantized integers, whose gradients are those of the numbers that they were rounded from. */
  readonly straightThrough?: true;
  /** The gradients of the node's inputs; undefined stands for zero. Asked only where some output has a gradient. */
  readonly gradients: (context: GradientContext) => readonly (Value | undefined)[];
}

/** The outputs do not depend on the inputs, or only in steps: the gradient is zero wherever it exists. */
export interface NoGradient {
  readonly kind: 'noGradient';
  readonly reason: string;
}

/** A gradient exists and Lathe does not build it. */
export interface Refusal {
  readonly kind: 'refused';
  readonly reason: string;
}

/** What a rule sees of the node that it differentiates. */
export interface GradientContext {
  readonly node: Node;
  /** Where the gradient's nodes go. */
  readonly build: GraphBuilder;
  /** The name of an input. Throws where it is left out: see {@link GradientContext.hasInput}. */
  readonly input: (index: number) => Value;
  readonly hasInput: (index: number) => boolean;
  /** The name of an output. An optional output that the node leaves out is added to it. */
  readonly output: (index: number) => Value;
  /** The gradient of an output: zeros where nothing depends on it. */
  readonly outputGradient: (index: number) => Value;
  readonly hasOutputGradient: (index: number) => boolean;
  /** Whether somebody needs the gradient of this input. */
  readonly needs: (index: number) => boolean;
  /** The type of a value of the forward graph. */
  readonly typeOf: (value: Value) => TensorType | undefined;
  /** The shape of a value of the forward graph. Throws a LatheError where not even its rank is known. */
  readonly shapeOf: (value: Value) => Shape;
  readonly dataTypeOf: (value: Value) => Exclude<DataType, 'string'>;
  /** The tensor of an input that is constant. */
  readonly constant: (index: number) => Tensor | undefined;
  /** An error that names the node: to throw where this one use of the operator has no gradient here. */
  readonly unsupported: (what: string, hint?: string) => Error;
}

export function rule(gradients: GradientRule['gradients'], operatorSet = 13): GradientRule {
  return { kind: 'rule', operatorSet, gradients };
}

/** A rule by which gradients pass through quantized integers. */
export function straightThrough(gradients: GradientRule['gradients'], operatorSet = 13): GradientRule {
  return { ...rule(gradients, operatorSet), straightThrough: true };
}

export function noGradient(reason: string): NoGradient {
  return { kind: 'noGradient', reason };
}

export function refused(reason: string): Refusal {
  return { kind: 'refused', reason };
}
