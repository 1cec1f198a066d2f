// What Lathe costs on this machine, against ONNX Runtime's own matrix product and, where it is installed, PyTorch.
// Usage: npm run bench            (all)
//        npm run bench -- NAME    (one of the files beside this one)
// Everything is measured in one run; figures are medians. Other work on the machine makes them meaningless.

import { coldStart } from './cold-start.js';
import { convolutionStep } from './convolution-step.js';
import { graphBuilding } from './graph-building.js';
import { pretrainedStart } from './pretrained-start.js';
import { trainingStep } from './training-step.js';

const BENCHES = {
  'training-step': trainingStep,
  'convolution-step': convolutionStep,
  'graph-building': graphBuilding,
  'cold-start': coldStart,
};
/** Minutes of training, for a question of its own: run by name alone. */
const BY_NAME = { 'pretrained-start': pretrainedStart };

const [only] = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const json = process.argv.includes('--json');
if (only !== undefined && !Object.hasOwn({ ...BENCHES, ...BY_NAME }, only)) {
  process.stderr.write(`no bench "${only}"; there are ${Object.keys({ ...BENCHES, ...BY_NAME }).join(', ')}\n`);
  process.exit(2);
}
const results = {};
const chosen = only === undefined ? BENCHES : { [only]: { ...BENCHES, ...BY_NAME }[only] };
for (const [name, bench] of Object.entries(chosen)) {
  const rows = await bench();
  results[name] = Object.fromEntries(rows.map(({ what, value }) => [what, value]));
  if (json) continue;
  process.stdout.write(`\n${name}\n`);
  for (const { what, value, unit, bar } of rows) {
    const shown =
      typeof value === 'number' ? value.toLocaleString('en', { maximumFractionDigits: value < 10 ? 2 : 0 }) : value;
    process.stdout.write(
      `  ${what.padEnd(58)} ${String(shown).padStart(10)} ${unit ?? ''}${bar === undefined ? '' : `   (bar: ${bar})`}\n`,
    );
  }
}
if (json) process.stdout.write(`${JSON.stringify(results)}\n`);
