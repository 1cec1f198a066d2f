import { LatheError } from '../base/index.ts';
import type { Graph, InferredValue } from '../graph/index.ts';
import { mayCarryGradient } from './known.ts';
import type { GradientOptions } from './options.ts';

/** Throws where the options name a value that the model does not have, or one that cannot have a gradient. */
export function checkNames(graph: Graph, types: ReadonlyMap<string, InferredValue>, options: GradientOptions): void {
  const names = new Set([...graph.initializers.keys(), ...graph.inputs.map(({ name }) => name)]);
  for (const node of graph.nodes) for (const name of node.outputs) if (name !== '') names.add(name);
  if (options.withRespectTo.length === 0) {
    throw new LatheError('usage', 'withRespectTo: expected at least one value to differentiate by, got none');
  }
  const repeated = options.withRespectTo.find((name, index) => options.withRespectTo.indexOf(name) !== index);
  if (repeated !== undefined) throw new LatheError('usage', `withRespectTo: "${repeated}" is named twice`);
  for (const name of [options.of, ...(options.keep ?? []), ...options.withRespectTo]) {
    if (names.has(name)) continue;
    const near = nearest(name, names);
    throw new LatheError('not-found', `the model has no value "${name}"`, {
      hint: near.length > 0 ? `Did you mean ${near.map((other) => `"${other}"`).join(' or ')}?` : listed(graph),
    });
  }
  for (const name of options.withRespectTo) {
    if (mayCarryGradient(types.get(name))) continue;
    throw new LatheError('shape', `"${name}": expected floating-point numbers to differentiate by`, {
      hint: 'Integers, booleans and strings have no gradient.',
    });
  }
}

/** The names most like `name`, at most three: few edits away, or with the same last part. */
function nearest(name: string, names: Iterable<string>): string[] {
  const limit = Math.max(2, Math.floor(name.length / 4));
  const lower = name.toLowerCase();
  return [...names]
    .filter((other) => Math.abs(other.length - name.length) <= limit || other.endsWith(name))
    .map((other) => ({ other, distance: other.endsWith(name) ? 1 : editDistance(lower, other.toLowerCase(), limit) }))
    .filter(({ distance }) => distance <= limit)
    .sort((a, b) => a.distance - b.distance || (a.other < b.other ? -1 : 1))
    .slice(0, 3)
    .map(({ other }) => other);
}

/** Insertions, deletions and replacements between two texts (Levenshtein); stops counting beyond `limit`. */
function editDistance(a: string, b: string, limit: number): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const replaced = previous[column - 1]! + (a[row - 1] === b[column - 1] ? 0 : 1);
      current.push(Math.min(replaced, previous[column]! + 1, current[column - 1]! + 1));
    }
    if (Math.min(...current) > limit) return limit + 1;
    previous = current;
  }
  return previous[b.length]!;
}

function listed(graph: Graph): string {
  const outputs = graph.outputs.map(({ name }) => `"${name}"`).join(', ');
  const shown = [...graph.initializers.keys()].slice(0, 5).map((name) => `"${name}"`);
  const more = graph.initializers.size > shown.length ? `, and ${graph.initializers.size - shown.length} more` : '';
  return `Its outputs are ${outputs || '(none)'}; its weights ${shown.join(', ') || '(none)'}${more}.`;
}
