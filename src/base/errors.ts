/**
 * An error that a user can act on: it says what went wrong, where, what was expected, what was found, and what to do.
 *
 * `code` is stable and meant for programs; the message is meant for people. `exitCode` is what the command line ends
 * with: 1 for a failure, 2 for wrong usage.
 */
export class LatheError extends Error {
  override readonly name = 'LatheError';
  readonly code: ErrorCode;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(options.hint === undefined ? message : `${message}\n  ${options.hint}`, { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
  }

  get exitCode(): 1 | 2 {
    return this.code === 'usage' ? 2 : 1;
  }
}

export type ErrorCode =
  | 'usage' // the call itself is wrong: an unknown option, a missing column
  | 'invalid-model' // a file or graph that breaks the ONNX specification
  | 'unsupported' // valid, but Lathe has no rule for it
  | 'shape' // dimensions or types that do not fit together
  | 'invalid-data' // rows, labels or files that cannot be used
  | 'leak' // the same sample on both sides of a split
  | 'not-found'
  | 'corrupt' // a package or checkpoint whose hash does not match
  | 'diverged' // a loss or a tensor that is no longer finite
  | 'unmet' // a budget or a target that no result keeps
  | 'interrupted'
  | 'io'
  | 'network' // a server that cannot be reached, or does not answer as it should
  | 'access' // a server that asks who is there, or refuses
  | 'internal';
