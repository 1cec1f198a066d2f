import { html } from '../../../base/index.ts';
import type { ReliabilityBin } from '../../../metrics/index.ts';
import { axes } from './axes.ts';
import { CHART_WIDTH, number, type Plot } from './svg.ts';

const HEIGHT = 270;

/**
 * Confidence against accuracy: dots on the dashed line are honest, below it overconfident. The area of a dot is the
 * number of predictions in its bin, and the red stem its gap.
 */
export function reliabilityPlot(
  bins: readonly ReliabilityBin[],
  calibrationError: number | undefined,
  title = 'Calibration',
): Plot {
  const filled = bins.filter((bin) => bin.count > 0);
  const largest = Math.max(1, ...filled.map((bin) => bin.count));
  const lowest = Math.min(...filled.map((bin) => Math.min(bin.confidence, bin.accuracy)), 0.5);
  const low = lowest >= 0.5 ? 0.5 : 0;
  const lowestAccuracy = Math.min(low, ...filled.map((bin) => Math.floor(bin.accuracy * 5) / 5));
  const plane = axes({
    width: CHART_WIDTH,
    height: HEIGHT,
    xDomain: [low, 1],
    yDomain: [lowestAccuracy, 1],
    xLabel: 'confidence of the predicted class',
    yLabel: 'share that is right',
  });
  const { x, y, frame } = plane;
  const error = calibrationError === undefined ? '' : `ECE ${calibrationError.toFixed(3)}`;
  return {
    title,
    description: `Share of right predictions by confidence in ${bins.length} equal bins${error === '' ? '' : `; expected calibration error (${error})`}.`,
    width: CHART_WIDTH,
    height: HEIGHT,
    marks: html`${plane.marks}<path class="guide" d="M${number(x(low))} ${number(y(low))}L${number(x(1))} ${number(y(1))}"/>${filled.map(
      (bin) => {
        const at = number(x(bin.confidence));
        return html`<path class="line stroke-bad" d="M${at} ${number(y(bin.confidence))}V${number(y(bin.accuracy))}"/><circle class="fill-model" cx="${at}" cy="${number(y(bin.accuracy))}" r="${number(2.5 + 7 * Math.sqrt(bin.count / largest))}"><title>${`confidence ${bin.confidence.toFixed(3)}, right ${bin.accuracy.toFixed(3)}, ${bin.count} examples`}</title></circle>`;
      },
    )}<text class="label strong halo" x="${number(frame.left + 10)}" y="${number(frame.top + 14)}">${error}</text>`,
    table: {
      columns: ['Confidence from', 'to', 'Examples', 'Mean confidence', 'Share right'],
      rows: filled.map((bin) => [
        bin.from.toFixed(3),
        bin.to.toFixed(3),
        bin.count,
        bin.confidence.toFixed(3),
        bin.accuracy.toFixed(3),
      ]),
    },
  };
}
