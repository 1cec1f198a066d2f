// What Lathe costs on this machine, against ONNX Runtime's own matrix product and, where it is installed, PyTorch.
// Usage: npm run bench            (all)
//        npm run bench -- NAME    (one of the files beside this one)
// Everything is measured in one run; figures are medians. Other work on the machine makes them meaningless.

import { coldStart } from './cold-start.js';
import { convolutionStep } from './convolution-step.js';
import { graphBuilding } from './graph-building.js';
import { trainingStep } from './training-step.js';

const BENCHES = {
  'training-step': trainingStep,
  'convolution-step': convolutionStep,
  'graph-building': graphBuilding,
  'cold-start': coldStart,
};

const [only] = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const json = process.argv.includes('--json');
if (only !== undefined && !Object.hasOwn(BENCHES, only)) {
  process.stderr.write(`no bench "${only}"; there are ${Object.keys(BENCHES).join(', ')}\n`);
  process.exit(2);
}
const results = {};
for (const [name, bench] of Object.entries(BENCHES)) {
  if (only !== undefined && name !== only) continue;
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
