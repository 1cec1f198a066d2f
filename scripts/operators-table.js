// Writes docs/operators.md from the tables in the code: run `npm run build`, then
//   node scripts/operators-table.js
import { writeFileSync } from 'node:fs';
import { argv } from 'node:process';
import { fileURLToPath } from 'node:url';

const GRADIENTS = {
  rule: (row) => (row.straightThrough ? 'yes, straight-through' : 'yes'),
  noGradient: (row) => `zero: ${row.reason}`,
  refused: (row) => `none: ${row.reason}`,
};

/** The document, from the operators' names and their rows. */
export function operatorsTable({ operators, shapes, references, gradients, expansions, recurrent }) {
  const mark = (table, name) => (Object.hasOwn(table, name) ? 'yes' : 'no');
  const known = operators.map((name) => {
    const row = gradients[name];
    return `| ${name} | ${mark(shapes, name)} | ${mark(references, name)} | ${GRADIENTS[row.kind](row)} |`;
  });
  const unrolled = Object.keys(recurrent).map((name) => `| ${name} | once unrolled | once unrolled | once unrolled |`);
  const rows = [...known, ...unrolled].sort();
  const fused = Object.keys(expansions)
    .sort()
    .map((name) => `| ${name} | once expanded | once expanded | once expanded |`);
  return `# Operators

The standard ONNX operators that Lathe knows: whether the shapes of their outputs are inferred, whether there is a
reference in float64 (which constant folding uses), and whether gradients pass. An operator that stands in neither table
is kept as it is; a gradient that has to pass through it is refused, naming the node and the path.

This file is written by \`node scripts/operators-table.js\` from the tables in the code.

| Operator | Shape | Reference | Gradient |
|---|---|---|---|
${rows.join('\n')}

## Recurrent operators

\`unrollRecurrentOperators()\` writes ${Object.keys(recurrent).join(', ')} of a known length, of at most 256 steps, step by step in standard
operators, which have gradients. Other uses (clip, layout 1, other activations) are refused by name.

## Fused operators

\`expandContribOperators()\` writes these operators of ONNX Runtime (domain \`com.microsoft\`) in standard ones, which have
gradients. A use that it does not write, such as grouped attention with a past state, is refused by name.

| Operator | Shape | Reference | Gradient |
|---|---|---|---|
${fused.join('\n')}

## Operator sets

Gradients are built for operator sets 13 to 21. \`convertOperatorSet()\` raises models of sets 1 to 20, by a table of what
each version of each standard operator changed; what has no form in the newer set is refused by name. \`prepareModel()\` does
all of this for a model that is to be trained.
`;
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  const graph = await import('../dist/graph/index.js');
  const { GRADIENT_RULES } = await import('../dist/autodiff/index.js');
  const text = operatorsTable({
    operators: graph.OPERATORS,
    shapes: graph.SHAPE_RULES,
    references: graph.REFERENCES,
    gradients: GRADIENT_RULES,
    expansions: graph.CONTRIB_EXPANSIONS,
    recurrent: graph.RECURRENT_EXPANSIONS,
  });
  writeFileSync(new URL('../docs/operators.md', import.meta.url), text);
}
