import { describe, expect, test } from 'vitest';
import { zeros } from '../base/index.ts';
import { GraphBuilder } from './builder.ts';
import { inferTypes } from './infer.ts';
import type { Model } from './ir.ts';
import { formatType } from './value-types.ts';

function typeOf(model: Model, name: string): string {
  const value = inferTypes(model).get(name);
  return value === undefined ? 'nothing' : formatType(value.type);
}

describe('symbolic dimensions', () => {
  test('go through a transformer block as exporters write it', () => {
    const graph = new GraphBuilder();
    const x = graph.input('x', 'float32', ['batch', 'sequence', 384]);
    const shape = graph.shape(x);
    const batch = graph.unsqueeze(graph.gather(shape, graph.scalar(0, 'int64')), [0]);
    const sequence = graph.unsqueeze(graph.gather(shape, graph.scalar(1, 'int64')), [0]);
    const heads = graph.concat([batch, sequence, graph.int64s([12]), graph.int64s([32])], 0);
    const weight = graph.initializer('weight', zeros('float32', [384, 384]));
    const query = graph.transpose(graph.reshape(graph.matMul(x, weight), heads), [0, 2, 1, 3]);
    const key = graph.transpose(graph.reshape(graph.matMul(x, weight), heads), [0, 2, 3, 1]);
    const scores = graph.softmax(graph.matMul(query, key));
    const mixed = graph.transpose(graph.matMul(scores, query), [0, 2, 1, 3]);
    const joined = graph.reshape(mixed, graph.concat([batch, sequence, graph.int64s([-1])], 0));
    graph.output(joined);
    const model = graph.build();
    expect(typeOf(model, scores)).toBe('float32[batch, 12, sequence, sequence]');
    expect(typeOf(model, mixed)).toBe('float32[batch, sequence, 12, 32]');
    expect(typeOf(model, joined)).toBe('float32[batch, sequence, 384]');
    expect(inferTypes(model).get(heads)?.elements).toEqual(['batch', 'sequence', 12, 32]);
  });

  test('a contradiction names the node and both shapes', () => {
    const graph = new GraphBuilder();
    const x = graph.input('x', 'float32', ['batch', 8]);
    const weight = graph.initializer('weight', zeros('float32', [9, 4]));
    graph.output(graph.node('MatMul', [x, weight], { name: 'proj' })[0]!);
    expect(() => inferTypes(graph.build())).toThrow('MatMul "proj": inner dimensions differ: [batch, 8] and [9, 4]');
  });
});
