import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { StoreCorrupt, StoreUnavailable } from './errors.ts';
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
  readonly #path: string;
  #known: KnownPosition | null;

  /** @throws StoreUnavailable, StoreCorrupt */
  constructor(dataDir: string) {
    this.#path = join(dataDir, NAME);
    try {
      makeDirectory(dataDir);
    } catch (fault) {
      throw new StoreUnavailable(`${dataDir}: cannot be written (${codeOf(fault)})`);
    }
    this.#known = this.#read();
  }

  get known(): KnownPosition | null {
    return this.#known;
  }

  /** A disk that cannot be written is met by others who must write there; this file can do without. */
  keep({ epoch, seq }: KnownPosition): void {
    if (this.#known?.epoch === epoch && this.#known.seq === seq) return;
    const isNew = this.#known?.epoch !== epoch;
    try {
      this.#write(`${JSON.stringify({ version: VERSION, epoch, seq })}\n`, isNew);
      this.#known = { epoch, seq };
    } catch {
      // Tried again a second later.
    }
  }

  #read(): KnownPosition | null {
    let text: string;
    try {
      text = readFileSync(this.#path, 'utf8');
    } catch (fault) {
      if (codeOf(fault) === 'ENOENT') return null;
      throw new StoreUnavailable(`${this.#path}: cannot be read (${codeOf(fault)})`);
    }
    const known = parse(text);
    if (known === null) {
      throw new StoreCorrupt(
        `${this.#path}: expected epoch and number of version ${VERSION}; without this file, what Redis has is taken as it is`,
      );
    }
    return known;
  }

  #write(text: string, sync: boolean): void {
    const draft = `${this.#path}.new`;
    const file = openSync(draft, 'w', 0o600);
    try {
      writeSync(file, text);
      if (sync) fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(draft, this.#path);
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
