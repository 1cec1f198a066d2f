import { floatOf, GraphBuilder, type Node, nodesGiving, opsetOf, type Pass, replaceNodes } from '../../graph/index.ts';

/**
 * Writes HardSwish as `x · (clip(x + 3, 0, 6) / 6)` and HardSigmoid as `clip(alpha · x + beta, 0, 1)`: sums, products and cuts, which
 * ONNX Runtime has in integers.
 */
export const writePiecewise: Pass = (model) => {
  const found = model.graph.nodes.filter(
    ({ opType, domain }) => domain === '' && (opType === 'HardSwish' || opType === 'HardSigmoid'),
  );
  if (found.length === 0) return { model, changed: false };
  const build = new GraphBuilder({ opset: opsetOf(model)!, extending: model.graph });
  const number = (value: number) => build.scalar(value, 'float32');
  const replaced = new Map<Node, readonly Node[]>();
  for (const node of found) {
    const x = node.inputs[0]!;
    const written = nodesGiving(build, node.outputs, () => {
      if (node.opType === 'HardSigmoid') {
        const [alpha, beta] = [floatOf(node, 'alpha', 0.2), floatOf(node, 'beta', 0.5)];
        const line = build.add(build.mul(x, number(alpha)), number(beta));
        return [build.op('Clip', [line, number(0), number(1)])];
      }
      const gate = build.op('Clip', [build.add(x, number(3)), number(0), number(6)]);
      return [build.mul(x, build.mul(gate, number(Math.fround(1 / 6))))];
    });
    replaced.set(node, written);
  }
  return { model: replaceNodes(model, build, replaced), changed: true };
};
