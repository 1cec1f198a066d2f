/** Row by row, in float64: [rows, width]. */
export function softmax(logits: ArrayLike<number>, width: number): Float64Array {
  const out = new Float64Array(logits.length);
  for (let start = 0; start < logits.length; start += width) {
    let highest = -Infinity;
    for (let index = start; index < start + width; index++) highest = Math.max(highest, logits[index]!);
    let sum = 0;
    for (let index = start; index < start + width; index++) {
      out[index] = Math.exp(logits[index]! - highest);
      sum += out[index]!;
    }
    for (let index = start; index < start + width; index++) out[index]! /= sum;
  }
  return out;
}

/** 1 / (1 + e^−x), in float64. */
export function sigmoid(logits: ArrayLike<number>): Float64Array {
  return Float64Array.from(logits, (x) => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x))));
}
