import { LatheError } from '../base/index.ts';
import { describeNode, type GraphBuilder, type Node, type Value } from '../graph/index.ts';
import type { Known } from './known.ts';
import type { GradientContext } from './rule.ts';
import { zerosLike } from './shapes.ts';

export interface WalkState {
  readonly build: GraphBuilder;
  readonly known: Known;
  readonly active: ReadonlySet<string>;
  readonly gradientOf: (value: string) => Value | undefined;
  readonly extraOutputs: Map<Node, Map<number, string>>;
}

/** What the rule of `node` gets to see. */
export function contextOf(node: Node, { build, known, active, gradientOf, extraOutputs }: WalkState): GradientContext {
  const { typeOf, shapeOf, dataTypeOf, constantOf } = known;
  const hasInput = (index: number): boolean => (node.inputs[index] ?? '') !== '';
  const input = (index: number): Value => {
    if (hasInput(index)) return node.inputs[index]!;
    throw new LatheError('invalid-model', `${describeNode(node)}: input ${index} is missing`);
  };
  const output = (index: number): Value => {
    const name = node.outputs[index] ?? '';
    if (name !== '') return name;
    const added = extraOutputs.get(node) ?? new Map<number, string>();
    extraOutputs.set(node, added);
    const existing = added.get(index);
    if (existing !== undefined) return existing;
    const fresh = build.unique(`${node.outputs[0]}_${index}`);
    added.set(index, fresh);
    return fresh;
  };
  const gradientAt = (index: number): Value | undefined => {
    const name = node.outputs[index] ?? '';
    return name === '' ? undefined : gradientOf(name);
  };
  return {
    node,
    build,
    input,
    hasInput,
    output,
    outputGradient: (index) => gradientAt(index) ?? zerosLike({ build, typeOf, dataTypeOf }, output(index)),
    hasOutputGradient: (index) => gradientAt(index) !== undefined,
    needs: (index) => hasInput(index) && active.has(node.inputs[index]!),
    typeOf,
    shapeOf,
    dataTypeOf,
    constant: (index) => (hasInput(index) ? constantOf(input(index)) : undefined),
    unsupported: (what, hint) =>
      new LatheError(
        'unsupported',
        `${describeNode(node)} has no gradient: ${what}`,
        hint === undefined ? {} : { hint },
      ),
  };
}
