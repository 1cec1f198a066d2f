import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The same for all: without it the system clears and maps large blocks anew in every step. */
const MALLOC = { MALLOC_MMAP_THRESHOLD_: String(4 * 2 ** 30), MALLOC_TRIM_THRESHOLD_: String(16 * 2 ** 30) };

/** What a file beside this one prints as its last line, in a process of its own. Throws where it fails. */
export function runNode(file, ...args) {
  return runJson(process.execPath, [here(file), ...args]);
}

/** The same of a Python file; undefined where PyTorch is not installed. */
export function runTorch(file, ...args) {
  if (spawnSync('python3', ['-c', 'import torch'], { stdio: 'ignore' }).status !== 0) return undefined;
  return runJson('python3', [here(file), ...args]);
}

function runJson(command, args) {
  const { status, stdout, stderr } = spawnSync(command, args, { env: { ...process.env, ...MALLOC }, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${args[0]}: ${stderr.slice(-500)}`);
  return JSON.parse(stdout.trim().split('\n').at(-1));
}

function here(name) {
  return fileURLToPath(new URL(name, import.meta.url));
}
