import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { StoreCorruptError, StoreUnavailableError } from './errors.ts';
import type { KnownPosition, PositionKeeper } from './store/redis/state.ts';
import { makeDirectory } from './store/sqlite/make-file.ts';

const NAME = 'registry.epoch';
const VERSION = 1;

/**
 * What this control knows of its Redis, in dataDir/registry.epoch (JSON, 0600): the epoch, and a number that its
 * changes have reached. A Redis that has another epoch, or less, has lost data. The number is written once a second
 * at most and not synced: an older one finds less, and never accuses wrongly.
 */
export class PositionFile implements PositionKeeper {
  private readonly path: string;
  private ownKnown: KnownPosition | null;

  /** @throws StoreUnavailable, StoreCorrupt */
  constructor(dataDir: string) {
    this.path = join(dataDir, NAME);
    try {
      makeDirectory(dataDir);
    } catch (error) {
      throw new StoreUnavailableError(`${dataDir}: cannot be written (${codeOf(error)})`);
    }
    this.ownKnown = this.read();
  }

  get known(): KnownPosition | null {
    return this.ownKnown;
  }

  /** A disk that cannot be written is met by others who must write there; this file can do without. */
  keep({ epoch, seq }: KnownPosition): void {
    if (this.ownKnown?.epoch === epoch && this.ownKnown.seq === seq) return;
    const isNew = this.ownKnown?.epoch !== epoch;
    try {
      this.write(`${JSON.stringify({ version: VERSION, epoch, seq })}\n`, isNew);
      this.ownKnown = { epoch, seq };
    } catch {
      // Tried again a second later.
    }
  }

  private read(): KnownPosition | null {
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
        `${this.path}: expected epoch and number of version ${VERSION}; without this file, what Redis has is taken as it is`,
      );
    }
    return known;
  }

  private write(text: string, sync: boolean): void {
    const draft = `${this.path}.new`;
    const file = openSync(draft, 'w', 0o600);
    try {
      writeSync(file, text);
      if (sync) fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(draft, this.path);
  }
}

function parse(text: string): KnownPosition | null {
  try {
    const { version, epoch, seq } = JSON.parse(text);
    const isSound =
      version === VERSION && typeof epoch === 'string' && epoch !== '' && Number.isSafeInteger(seq);
    return isSound ? { epoch, seq } : null;
  } catch {
    return null;
  }
}

function codeOf(fault: unknown): string {
  return String((fault as { code?: unknown }).code ?? 'unknown');
}
