import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect } from 'vitest';

/** The built command line. */
export const PROGRAM = fileURLToPath(new URL('../../bin/lathe.js', import.meta.url));

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the built command line as a user does, in a process of its own. */
export function lathe(folder: string, args: readonly string[], input = ''): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [PROGRAM, ...args], { cwd: folder });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      stdout += chunk;
    });
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      stderr += chunk;
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
    // A command that ends before it reads its input closes it.
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });
}

/** The object of `--json`. Throws unless standard output is that one line and nothing else. */
export function jsonOf<Shape = Record<string, unknown>>({ stdout }: Ended): Shape {
  const lines = stdout.split('\n');
  if (lines.length !== 2 || lines[1] !== '') throw new Error(`expected one line of JSON, got: ${stdout}`);
  return JSON.parse(lines[0]!) as Shape;
}

/** The object that a command which has to end well gives with `--json`. */
export async function answerOf<Shape>(folder: string, args: readonly string[]): Promise<Shape> {
  const ended = await lathe(folder, [...args, '--json']);
  expect(ended.code, ended.stderr).toBe(0);
  return jsonOf<Shape>(ended);
}

/** An empty folder that is gone after the tests of the file. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'lathe-cli-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** All that a folder holds, hidden files too, in order. */
export function listed(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();
}

const ABOUT = {
  spam: ['prize', 'winner', 'cash', 'claim', 'free', 'offer'],
  ham: ['meeting', 'lunch', 'report', 'garden', 'train', 'thanks'],
} as const;

/** A CSV file of texts that a linear model tells apart and that are no duplicates of each other; every third is spam. */
export function writeMessages(path: string, rows = 200, from = 0): void {
  const lines = Array.from({ length: rows }, (_, offset) => {
    const index = from + offset;
    const label = index % 3 === 0 ? 'spam' : 'ham';
    const own = Array.from({ length: 8 }, (_, word) => `w${index * 8 + word}`);
    const about = [0, 1, 2].map((step) => ABOUT[label][(index + step) % 6]!);
    return `${[...about, ...own].join(' ')},${label}`;
  });
  writeFileSync(path, `text,label\n${lines.join('\n')}\n`);
}
