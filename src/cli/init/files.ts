import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ObstacleError } from './obstacle.ts';

/** Flags and answers of the run that wrote the files: a later run without flags asks nothing again. */
export type GivenAnswers = {
  readonly [K in 'address' | 'address6' | 'listen' | 'email' | 'acme']?: string | undefined;
};

/** Files that init wrote, so that --undo removes these and no others. */
interface Record {
  readonly domain: string;
  readonly given?: GivenAnswers;
  /** Path -> SHA-256 of what was written. */
  readonly files: { readonly [path: string]: string };
  /** Path of a file of ours -> where its predecessor was moved to. */
  readonly replaced: { readonly [path: string]: string };
}

export interface FileToWrite {
  readonly path: string;
  readonly text: string;
  /** Text of a predecessor that may be replaced: a package's example that nobody edited. */
  readonly replaceable: string | null;
}

const BACKUP_SUFFIX = '.before-init';

/** The record of what init wrote, in the directory of the configuration. */
export class WrittenFiles {
  private readonly path: string;

  constructor(directory: string) {
    this.path = join(directory, 'init.json');
  }

  /** Null: init has not run here. */
  read(): Record | null {
    return existsSync(this.path) ? (JSON.parse(readFileSync(this.path, 'utf8')) as Record) : null;
  }

  /** @throws ObstacleError where init has set this host up under another name */
  checkDomain(domain: string): void {
    const before = this.read();
    if (before === null || before.domain === domain) return;
    throw new ObstacleError(
      `This host is set up as ${before.domain} (${this.path}). To set it up as ${domain}, take that back with ` +
        'mediastreamer init --undo, and run init again.',
    );
  }

  /** True if a run has written these files and they are as it wrote them. */
  holds(files: readonly FileToWrite[]): boolean {
    return this.read() !== null && files.every(({ path, text }) => textOf(path) === text);
  }

  /**
   * Writes the files that differ, after it has checked all of them.
   * @returns true if anything was written
   * @throws ObstacleError where a file of someone else's is in the way
   */
  write(domain: string, files: readonly FileToWrite[], given: GivenAnswers): boolean {
    if (this.holds(files)) return false;
    const before = this.read();
    const changed = files.filter(({ path, text }) => textOf(path) !== text);
    const replaced = { ...before?.replaced };
    for (const { path, replaceable } of changed) {
      const found = textOf(path);
      if (found === null || before?.files[path] === hashOf(found)) continue;
      if (found !== replaceable) {
        throw new ObstacleError(
          `${path} is there already, and was not written by init or has been edited since. init replaces nothing that it ` +
            'did not write: move the file away, or choose another directory with --dir; then run init again.',
        );
      }
      replaced[path] = path + BACKUP_SUFFIX;
    }
    mkdirSync(dirname(this.path), { recursive: true, mode: 0o755 });
    const hashes = Object.fromEntries(files.map(({ path, text }) => [path, hashOf(text)]));
    const record: Record = { domain, given, files: { ...before?.files, ...hashes }, replaced };
    writeFileSync(this.path, `${JSON.stringify(record, null, 2)}\n`, { mode: 0o644 });
    for (const { path, text } of changed) {
      const backup = replaced[path];
      if (backup !== undefined && !existsSync(backup)) renameSync(path, backup);
      writeFileSync(path, text, { mode: 0o644 });
    }
    return true;
  }

  /** Removes what init wrote and puts back what it replaced. @returns one line for each file */
  undo(record: Record): string[] {
    const lines = Object.entries(record.files).map(([path, hash]) => {
      const found = textOf(path);
      if (found === null) return `${path} was gone already`;
      if (hashOf(found) !== hash) return `${path} stays: it has been edited since`;
      const backup = record.replaced[path];
      if (backup === undefined || !existsSync(backup)) {
        rmSync(path);
        return `${path} is removed`;
      }
      renameSync(backup, path);
      return `${path} is as it was before`;
    });
    rmSync(this.path);
    return lines;
  }
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function textOf(path: string): string | null {
  return existsSync(path) ? readFileSync(path, 'utf8') : null;
}
