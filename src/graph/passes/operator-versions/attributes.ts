import { type Tensor, tensor, tensorFrom } from '../../../base/tensor.ts';
import { int } from '../../attributes.ts';
import type { Value } from '../../builder.ts';
import type { Attribute, Node } from '../../ir.ts';
import { type Step, type StepContext, without } from './step.ts';

/** The attribute of integers as a vector that an input takes, up to the largest int64. */
export function int64Vector(node: Node, name: string): Tensor | undefined {
  const attribute = node.attributes.get(name);
  if (attribute?.kind === 'ints') {
    return tensor('int64', [attribute.value.length], BigInt64Array.from(attribute.value, BigInt));
  }
  return attribute?.kind === 'int' ? tensor('int64', [1], BigInt64Array.of(BigInt(attribute.value))) : undefined;
}

/** Integers that were an attribute become input `index`; an empty list is left out where `emptyIsNone`. */
export function becameInput(name: string, index: number, emptyIsNone = false): Step {
  return (context) => {
    const value = int64Vector(context.node, name);
    const node = without(name)(context);
    if (value === undefined || (emptyIsNone && value.data.length === 0)) return node;
    return withInput(node, index, context.build.constant(value, name));
  };
}

export function withInput(node: Node, index: number, value: Value): Node {
  const inputs = [...node.inputs];
  while (inputs.length < index) inputs.push('');
  inputs[index] = value;
  return { ...node, inputs };
}

export function withAttributes(node: Node, attributes: Readonly<Record<string, Attribute>>): Node {
  return { ...node, attributes: new Map([...node.attributes, ...Object.entries(attributes)]) };
}

/** The default that the version before had, written out. */
export function withDefault(name: string, value: Attribute): Step {
  return ({ node }) => (node.attributes.has(name) ? node : withAttributes(node, { [name]: value }));
}

/** A number that was an attribute, as a scalar of the element type of input 0. */
export function scalarLike(context: StepContext, value: number): Value {
  const { build, target, typeOf, node } = context;
  const dtype = typeOf(0)?.dtype;
  if (dtype !== undefined && dtype !== 'string') return build.constant(tensorFrom(dtype, value));
  if (target < 15) throw context.refuse('an input of unknown element type');
  return build.op('CastLike', [build.constant(tensorFrom('float32', value)), node.inputs[0]]);
}

/** A power that was a floating-point number and became an integer. */
export const integerPower: Step = ({ node, refuse }) => {
  const power = node.attributes.get('p');
  if (power?.kind !== 'float') return node;
  if (!Number.isInteger(power.value)) throw refuse(`p ${power.value}, which is not whole`);
  return withAttributes(node, { p: int(power.value) });
};
