import { LatheError } from '../base/index.ts';

/**
 * Where a command speaks. People read standard error: lines, tables, progress with the time left. Programs read standard
 * output: with --json exactly one object, as its last line; without, only what the command is for (predictions, a graph).
 */
export interface Terminal {
  readonly json: boolean;
  readonly quiet: boolean;
  /** Aborted by SIGINT or SIGTERM: long work saves and stops. */
  readonly signal: AbortSignal;
  /** A line for people. */
  say(line: string): void;
  warn(line: string): void;
  /** Columns of text, numbers to the right. */
  table(headings: readonly string[], rows: readonly (readonly (string | number)[])[]): void;
  /** What to try next. */
  hint(line: string): void;
  /** The command's product, for people and pipes; nothing with --json. */
  print(text: string): void;
  progress(what: string): Progress;
  finish(result: Readonly<Record<string, unknown>>): void;
  /** Says what went wrong and returns the exit code. */
  fail(error: unknown): number;
}

export interface Progress {
  /** `note` stands behind the bar: a loss, a rate. */
  update(done: number, total: number | undefined, note?: string): void;
  done(line?: string): void;
}

const BAR = 24;
const REDRAW_MS = 100;
const SAME_SIGNAL_MS = 300;
/** Without a terminal, a line now and then says that work goes on. */
const LINE_MS = 10_000;

export function openTerminal({ json, quiet }: { readonly json: boolean; readonly quiet: boolean }): Terminal {
  const stream = process.stderr;
  const interactive = stream.isTTY === true && !quiet;
  const colour = interactive && process.env.NO_COLOR === undefined;
  const paint = (code: number, text: string): string => (colour ? `\u001b[${code}m${text}\u001b[0m` : text);
  const write = (text: string): void => {
    if (!quiet) stream.write(text);
  };
  const controller = new AbortController();
  let stoppedAt = 0;
  const stop = (): void => {
    // timeout(1) sends its signal to the process and to its group: that is one wish, not two.
    if (controller.signal.aborted && performance.now() - stoppedAt > SAME_SIGNAL_MS) process.exit(1);
    if (controller.signal.aborted) return;
    stoppedAt = performance.now();
    controller.abort(new LatheError('interrupted', 'stopped by a signal'));
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  return {
    json,
    quiet,
    signal: controller.signal,
    say: (line) => write(`${line}\n`),
    warn: (line) => write(`${paint(33, 'warning:')} ${line}\n`),
    table: (headings, rows) => write(formatTable(headings, rows, (text) => paint(1, text))),
    hint: (line) => write(`${paint(36, '→')} ${line}\n`),
    print: (text) => {
      if (!json) process.stdout.write(text.endsWith('\n') ? text : `${text}\n`);
    },
    progress: (what) => startProgress(what, write, interactive, (text) => paint(32, text)),
    finish(result) {
      if (json) process.stdout.write(`${JSON.stringify(result)}\n`);
    },
    fail(error) {
      const known = error instanceof LatheError;
      const text = known ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error);
      stream.write(`${paint(31, 'error:')} ${text}\n`);
      if (json)
        process.stdout.write(
          `${JSON.stringify({ error: { code: known ? error.code : 'internal', message: known ? error.message : String(error) } })}\n`,
        );
      return known ? error.exitCode : 1;
    },
  };
}

function startProgress(
  what: string,
  write: (text: string) => void,
  interactive: boolean,
  paint: (text: string) => string,
): Progress {
  const started = performance.now();
  let drawn = 0;
  let shown = '';
  const draw = (line: string): void => {
    write(`\r${line}${' '.repeat(Math.max(0, shown.length - line.length))}`);
    shown = line;
  };
  return {
    update(done, total, note = '') {
      const now = performance.now();
      const last = total !== undefined && done >= total;
      if (now - drawn < (interactive ? REDRAW_MS : LINE_MS) && !(interactive && last)) return;
      if (!interactive && now - started < LINE_MS) return;
      drawn = now;
      if (total === undefined) {
        const facts = `${what}: ${done.toLocaleString('en')}${note === '' ? '' : `, ${note}`}`;
        if (interactive) draw(facts);
        else write(`${facts}\n`);
        return;
      }
      const share = total > 0 ? Math.min(1, done / total) : 0;
      const left = share > 0 ? ((now - started) * (1 - share)) / share / 1000 : undefined;
      const facts = `${done.toLocaleString('en')}/${total.toLocaleString('en')}${left === undefined || share === 1 ? '' : `, ${formatSeconds(left)} left`}${note === '' ? '' : `, ${note}`}`;
      if (!interactive) {
        write(`${what}: ${Math.round(share * 100)} %, ${facts}\n`);
        return;
      }
      const filled = Math.round(share * BAR);
      draw(`${what} ${'━'.repeat(filled)}${'╌'.repeat(BAR - filled)} ${facts}`);
    },
    done(line) {
      const seconds = (performance.now() - started) / 1000;
      const text = `${paint('✓')} ${line ?? what} (${formatSeconds(seconds)})`;
      if (interactive) {
        draw(text);
        write('\n');
      } else write(`${text}\n`);
    },
  };
}

/** 0.4 s, 12 s, 3 min 05 s, 2 h 10 min. */
export function formatSeconds(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, '0')} s`;
  return `${Math.floor(whole / 3600)} h ${String(Math.floor((whole % 3600) / 60)).padStart(2, '0')} min`;
}

function formatTable(
  headings: readonly string[],
  rows: readonly (readonly (string | number)[])[],
  bold: (text: string) => string,
): string {
  const fractional = headings.map((_, column) =>
    rows.some((row) => typeof row[column] === 'number' && !Number.isInteger(row[column])),
  );
  const cells = rows.map((row) =>
    row.map((cell, column) => (typeof cell === 'number' ? formatNumber(cell, fractional[column]!) : cell)),
  );
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...cells.map((row) => (row[column] ?? '').length)),
  );
  const numeric = headings.map((_, column) => rows.some((row) => typeof row[column] === 'number'));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => (numeric[column] ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!)))
      .join('  ')
      .trimEnd();
  return `${bold(line(headings))}\n${cells.map((row) => `${line(row)}\n`).join('')}`;
}

/** Numbers of a column with a fraction in it all have the same decimals. */
function formatNumber(value: number, fractional: boolean): string {
  return fractional ? value.toFixed(4) : value.toLocaleString('en');
}
