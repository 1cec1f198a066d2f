// What the tests need besides npm packages: installs it where that is possible, else says in one line how to.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

/** Debian packages, each with a path that is there once it is installed. */
const REQUIREMENTS = [{ name: 'libonnx-testdata', path: '/usr/share/libonnx-testdata/data/node' }];

const missing = REQUIREMENTS.filter(({ path }) => !existsSync(path)).map(({ name }) => name);
if (missing.length > 0) install(missing);

function install(packages) {
  const list = packages.join(' ');
  if (process.getuid?.() !== 0 || aptGet('--version').status !== 0) {
    console.error(`The tests need ${list}: sudo apt-get install ${list}`);
    process.exit(1);
  }
  console.error(`Installing what the tests need: apt-get install ${list}`);
  const parameters = ['install', '--yes', '--no-install-recommends', ...packages];
  if (aptGet(...parameters).status === 0) return;
  // The lists of packages may be absent or old.
  aptGet('update');
  const { status, stderr } = aptGet(...parameters);
  if (status === 0) return;
  console.error(`${stderr.trim()}\nThe tests need ${list}, and apt-get did not install it.`);
  process.exit(1);
}

function aptGet(...parameters) {
  return spawnSync('apt-get', parameters, {
    encoding: 'utf8',
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
}
