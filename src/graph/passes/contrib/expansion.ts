import type { DataType } from '../../../base/dtype.ts';
import type { LatheError } from '../../../base/errors.ts';
import type { GraphBuilder, Value } from '../../builder.ts';
import type { Node, Shape } from '../../ir.ts';

/** Writes one contrib node in standard operators: its outputs in order, undefined where nobody reads one. */
export type Expansion = (context: ExpansionContext) => readonly (Value | undefined)[];

export interface ExpansionContext {
  readonly node: Node;
  readonly build: GraphBuilder;
  readonly has: (index: number) => boolean;
  /** The name of an input. Throws where it is left out. */
  readonly input: (index: number) => Value;
  readonly shapeOf: (index: number) => Shape;
  /** The element type of the first floating-point input, which the node computes in. */
  readonly dtype: Exclude<DataType, 'string'>;
  /** Whether somebody reads this output. */
  readonly reads: (output: number) => boolean;
  readonly refuse: (what: string) => LatheError;
}

/** A number in the type that the node computes in. */
export function number({ build, dtype }: ExpansionContext, value: number): Value {
  return build.scalar(value, dtype);
}
