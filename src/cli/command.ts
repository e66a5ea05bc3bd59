/** Everything a command may touch of its process: outputs, directory, environment. */
export interface Io {
  /** Writes text to standard output and adds a newline if it does not end with one. */
  out(text: string): void;
  /** Writes text to standard error and adds a newline if it does not end with one. */
  err(text: string): void;
  /** Base of relative paths in the arguments. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Asks the person at the terminal. Missing where there is none. */
  readonly ask?: ((question: string) => Promise<string>) | undefined;
}

/** One command. Its file exports it as `command`; table.ts imports the file lazily. */
export interface Command {
  readonly name: string;
  /** One line for the list of `--help`. */
  readonly summary: string;
  /** Text of `mediastreamer NAME --help`, beginning with `Usage: mediastreamer NAME`. */
  readonly usage: string;
  /**
   * Runs the command with the arguments after its name; `--help` never gets here. Resolves to the exit code:
   * 0 done, 1 failed because of its input. Throws UsageError for exit code 2.
   */
  run(args: string[], io: Io): Promise<number>;
}

/** Invalid arguments: prints one line and a hint to standard error, exit code 2. */
export class UsageError extends Error {
  readonly code = 'usage';
}
