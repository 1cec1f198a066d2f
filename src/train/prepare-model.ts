import { convertOperatorSet, expandOperators, inlineFunctions, liftConstants, type Model } from '../graph/index.ts';

/**
 * The model in the form that training understands, whoever exported it: operator set 17 or newer, fused operators of ONNX
 * Runtime and recurrent ones written in standard operators, functions in place of their calls, and weights from Constant
 * nodes as initializers under the names of their values. Inputs, outputs and the names of initializers stay; so does what the model computes.
 *
 * Throws LatheError('unsupported'), naming the node, for an operator that has no form in the newer set, a use of a fused
 * operator that is not expanded, and a recurrent operator of unknown length.
 */
export function prepareModel(model: Model): Model {
  const passes = [inlineFunctions, liftConstants, convertOperatorSet, expandOperators];
  return passes.reduce((current, pass) => pass(current).model, model);
}
