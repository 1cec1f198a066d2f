import { LatheError } from '../base/errors.ts';
import type { Tensor } from '../base/tensor.ts';
import type { Attribute, Graph, Node } from './ir.ts';
import { stored, tensorOf } from './stored.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Makes attributes: `{ axis: int(-1), epsilon: float(1e-5) }`. */
export const int = (value: number): Attribute => ({ kind: 'int', value });
export const ints = (value: readonly number[]): Attribute => ({ kind: 'ints', value });
export const float = (value: number): Attribute => ({ kind: 'float', value });
export const floats = (value: readonly number[]): Attribute => ({ kind: 'floats', value });
export const string = (value: string): Attribute => ({ kind: 'string', value: encoder.encode(value) });
export const strings = (value: readonly string[]): Attribute => ({
  kind: 'strings',
  value: value.map((item) => encoder.encode(item)),
});
export const tensorAttribute = (value: Tensor): Attribute => ({ kind: 'tensor', value: stored(value) });
export const graphAttribute = (value: Graph): Attribute => ({ kind: 'graph', value });

/** Reads an attribute of a node; `fallback` stands for one that is left out. Throws when it has another kind. */
export function intOf(node: Node, name: string, fallback: number): number;
export function intOf(node: Node, name: string): number | undefined;
export function intOf(node: Node, name: string, fallback?: number): number | undefined {
  const value = read(node, name, 'int')?.value;
  return value === undefined ? fallback : exact(node, name, value);
}

export function intsOf(node: Node, name: string): readonly number[] | undefined {
  return read(node, name, 'ints')?.value.map((value) => exact(node, name, value));
}

export function floatOf(node: Node, name: string, fallback: number): number {
  return read(node, name, 'float')?.value ?? fallback;
}

export function floatsOf(node: Node, name: string): readonly number[] | undefined {
  return read(node, name, 'floats')?.value;
}

export function stringOf(node: Node, name: string, fallback: string): string;
export function stringOf(node: Node, name: string): string | undefined;
export function stringOf(node: Node, name: string, fallback?: string): string | undefined {
  const value = read(node, name, 'string')?.value;
  return value === undefined ? fallback : decoder.decode(value);
}

export function stringsOf(node: Node, name: string): readonly string[] | undefined {
  return read(node, name, 'strings')?.value.map((value) => decoder.decode(value));
}

export function tensorValueOf(node: Node, name: string): Tensor | undefined {
  const value = read(node, name, 'tensor')?.value;
  return value === undefined ? undefined : tensorOf(value);
}

export function graphOf(node: Node, name: string): Graph | undefined {
  return read(node, name, 'graph')?.value;
}

function read<K extends Attribute['kind']>(
  node: Node,
  name: string,
  kind: K,
): Extract<Attribute, { kind: K }> | undefined {
  const attribute = node.attributes.get(name);
  if (attribute === undefined) return undefined;
  if (attribute.kind !== kind) {
    throw new LatheError(
      'invalid-model',
      `${describeNode(node)}: attribute "${name}" should be ${kind}, got ${attribute.kind}`,
    );
  }
  return attribute as Extract<Attribute, { kind: K }>;
}

function exact(node: Node, name: string, value: number | bigint): number {
  if (typeof value === 'number') return value;
  throw new LatheError('unsupported', `${describeNode(node)}: attribute "${name}" is ${value}, beyond 2^53`);
}

/** How messages name a node: `Conv "conv1"`, or by its first output where it has no name. */
export function describeNode(node: Node): string {
  const type = node.domain === '' ? node.opType : `${node.domain}.${node.opType}`;
  if (node.name !== '') return `${type} "${node.name}"`;
  const output = node.outputs.find((value) => value !== '');
  return output === undefined ? type : `${type} (of "${output}")`;
}
