import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { replaceFile } from '../../sys/index.ts';
import { StoreCorruptError, StoreUnavailableError } from '../errors.ts';
import type { Position } from './position.ts';
import { makeDirectory } from './private-files.ts';

const NAME = 'registry.epoch';
const VERSION = 1;

/**
 * The position of Redis that this control knows, in dataDir/registry.epoch (JSON, mode 0600): the epoch, and a change number
 * that was reached. A Redis with another epoch or a lower number has lost data. The number is written at most once a
 * second and not synced: an old number detects less and never accuses wrongly.
 */
export class PositionFile {
  private readonly path: string;
  private position: Position | null;

  /** @throws StoreUnavailableError, StoreCorruptError */
  constructor(dataDir: string) {
    this.path = join(dataDir, NAME);
    try {
      makeDirectory(dataDir);
    } catch (error) {
      throw new StoreUnavailableError(`${dataDir}: cannot be written (${codeOf(error)})`);
    }
    this.position = this.read();
  }

  /** Null: this installation has never had a store. */
  get known(): Position | null {
    return this.position;
  }

  /** Keeps the position for the next start. A disk that cannot be written is reported by others; this file can wait. */
  keep({ epoch, seq }: Position): void {
    if (this.position?.epoch === epoch && this.position.seq === seq) return;
    const isNew = this.position?.epoch !== epoch;
    try {
      this.write(`${JSON.stringify({ version: VERSION, epoch, seq })}\n`, isNew);
      this.position = { epoch, seq };
    } catch {
      // Tried again a second later.
    }
  }

  private read(): Position | null {
    let text: string;
    try {
      text = readFileSync(this.path, 'utf8');
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return null;
      throw new StoreUnavailableError(`${this.path}: cannot be read (${codeOf(error)})`);
    }
    const known = parse(text);
    if (known === null) {
      throw new StoreCorruptError(
        `${this.path}: expected epoch and change number, version ${VERSION}; delete the file to accept what Redis has`,
      );
    }
    return known;
  }

  private write(text: string, sync: boolean): void {
    replaceFile(this.path, text, { sync });
  }
}

function parse(text: string): Position | null {
  try {
    const { version, epoch, seq } = JSON.parse(text);
    const isSound =
      version === VERSION && typeof epoch === 'string' && epoch !== '' && Number.isSafeInteger(seq);
    return isSound ? { epoch, seq } : null;
  } catch {
    return null;
  }
}

function codeOf(error: unknown): string {
  return String((error as { code?: unknown }).code ?? 'unknown');
}
