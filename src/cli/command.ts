/** What a command may touch of the world: its two outputs, its directory, its environment. */
export interface Io {
  /** Writes text to standard output; a newline is added where the text does not end with one. */
  out(text: string): void;
  /** Writes text to standard error; a newline is added where the text does not end with one. */
  err(text: string): void;
  /** The directory that relative paths among the arguments start from. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * One command of the command line. A command's file exports it as `command`, and table.ts names the file, so
 * that it is loaded only when it is asked for.
 */
export interface Command {
  readonly name: string;
  /** One line, for the list that `--help` prints. */
  readonly summary: string;
  /** What `mediastreamer NAME --help` prints, from `Usage: mediastreamer NAME ...` on. */
  readonly usage: string;
  /**
   * Runs the command with the arguments that follow its name (never `--help`, which is answered before).
   * Resolves to the exit code: 0 done, 1 failed (what it was given is at fault), 2 bad usage (throw UsageError).
   */
  run(args: string[], io: Io): Promise<number>;
}

/** Arguments that a command does not understand: one line and a hint on standard error, exit 2. */
export class UsageError extends Error {
  readonly code = 'USAGE';
}
