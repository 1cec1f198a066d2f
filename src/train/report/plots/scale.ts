/** From data to a coordinate. */
export interface Scale {
  (value: number): number;
  readonly domain: readonly [number, number];
}

export function linearScale(domain: readonly [number, number], range: readonly [number, number]): Scale {
  const slope = (range[1] - range[0]) / (domain[1] - domain[0] || 1);
  return Object.assign((value: number) => range[0] + (value - domain[0]) * slope, { domain });
}

/** The smallest and largest finite value; [0, 1] when there is none. */
export function extent(values: Iterable<number>): [number, number] {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low > high ? [0, 1] : [low, high];
}

/** Ticks at 1, 2 or 5 times a power of ten, inside the domain, about `count` of them. */
export function niceTicks([low, high]: readonly [number, number], count: number): number[] {
  if (!(high > low)) return [low];
  const step = niceStep((high - low) / Math.max(1, count));
  const ticks: number[] = [];
  for (let index = Math.ceil(low / step - 1e-9); index <= Math.floor(high / step + 1e-9); index++) {
    // Dividing by the inverse keeps 0.3 from becoming 0.30000000000000004.
    ticks.push(step < 1 ? index / Math.round(1 / step) : index * step);
  }
  return ticks;
}

/** The domain widened to whole ticks, so that the curve ends inside the frame. */
export function niceDomain([low, high]: readonly [number, number], count: number): [number, number] {
  if (!(high > low)) {
    const room = Math.abs(low) * 0.1 || 1;
    return niceDomain([low - room, high + room], count);
  }
  const step = niceStep((high - low) / Math.max(1, count));
  return [Math.floor(low / step + 1e-9) * step, Math.ceil(high / step - 1e-9) * step];
}

function niceStep(rough: number): number {
  const power = 10 ** Math.floor(Math.log10(rough));
  const ratio = rough / power;
  return (ratio < 1.5 ? 1 : ratio < 3.5 ? 2 : ratio < 7.5 ? 5 : 10) * power;
}

/** Labels for ticks with as many decimals as their step needs, thousands as k, very small ones as powers. */
export function tickLabels(ticks: readonly number[]): string[] {
  const largest = Math.max(...ticks.map(Math.abs));
  const step = ticks.length > 1 ? Math.abs(ticks[1]! - ticks[0]!) : largest || 1;
  if (largest > 0 && largest < 1e-2) return ticks.map((tick) => (tick === 0 ? '0' : scientific(tick)));
  if (largest >= 1e6) return ticks.map((tick) => `${decimals(tick / 1e6, step / 1e6)}M`);
  if (largest >= 1e4) return ticks.map((tick) => (tick === 0 ? '0' : `${decimals(tick / 1e3, step / 1e3)}k`));
  return ticks.map((tick) => decimals(tick, step));
}

function decimals(value: number, step: number): string {
  const digits = Math.max(0, Math.min(6, -Math.floor(Math.log10(step) + 1e-9)));
  return value.toFixed(digits).replace(/^-0$/, '0').replace('-', '−');
}

function scientific(value: number): string {
  const [mantissa, exponent] = value.toExponential(1).split('e');
  return `${mantissa!.replace(/\.0$/, '')}e${exponent!.replace('+', '').replace('-', '−')}`;
}
