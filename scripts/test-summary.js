// Prints `N passed, N failed` from the JSON that Vitest's reporter wrote. A file that broke before its tests ran counts
// as one failure, and so does a run that wrote nothing (a lint error, a type error) or failed outside its tests.
//   node scripts/test-summary.js REPORT.json EXIT-CODE
import { readFileSync } from 'node:fs';

const [path, exitCode] = process.argv.slice(2);
let passed = 0;
let failed = 0;
try {
  const report = JSON.parse(readFileSync(path, 'utf8'));
  const broken = report.testResults.filter(
    ({ status, assertionResults }) =>
      status === 'failed' && !assertionResults.some((assertion) => assertion.status === 'failed'),
  );
  passed = report.numPassedTests;
  failed = report.numFailedTests + broken.length;
} catch {
  console.error('No test ran: the reason stands above.');
}
if (exitCode !== '0' && failed === 0) failed = 1;
console.log(`${passed} passed, ${failed} failed`);
