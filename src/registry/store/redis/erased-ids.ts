import { createHmac, randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { replaceFile } from '../../../sys/index.ts';
import { StoreCorruptError, StoreUnavailableError } from '../../errors.ts';
import { makeDirectory } from '../private-files.ts';

const NAME = 'registry.erased';
const VERSION = 1;
const DAY_MS = 86_400_000;
/** An older backup must not be restored. */
const KEEP_DAYS = 400;
const KEY_BYTES = 32;

/**
 * The ids that this control has erased, in dataDir/registry.erased (mode 0600), so that `registry adopt` does not bring
 * them back from older data. Only hashes are kept, keyed by a random key of the file, with the day of the erasure.
 */
export class ErasedIds {
  private readonly path: string;
  private readonly key: Buffer;
  private readonly hashes: Map<string, number>;

  /** @throws StoreUnavailableError, StoreCorruptError */
  constructor(dataDir: string, today = Math.floor(Date.now() / DAY_MS)) {
    this.path = join(dataDir, NAME);
    try {
      makeDirectory(dataDir);
      const found = read(this.path);
      this.key = found?.key ?? randomBytes(KEY_BYTES);
      const kept = [...(found?.hashes ?? [])].filter(([, day]) => today - day <= KEEP_DAYS);
      this.hashes = new Map(kept);
      if (found === null || kept.length < found.hashes.size) this.rewrite();
    } catch (error) {
      if (error instanceof StoreCorruptError) throw error;
      const { code } = error as NodeJS.ErrnoException;
      throw new StoreUnavailableError(`${this.path}: cannot be used (${code ?? 'unknown'})`);
    }
  }

  /** Keeps an id durably. An error is the caller's: its erasure is not acknowledged then. */
  note(id: string, today = Math.floor(Date.now() / DAY_MS)): void {
    const hash = this.hash(id);
    if (this.hashes.has(hash)) return;
    const file = openSync(this.path, 'a', 0o600);
    try {
      writeSync(file, `${hash} ${today}\n`);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    this.hashes.set(hash, today);
  }

  has(id: string): boolean {
    return this.hashes.has(this.hash(id));
  }

  private hash(id: string): string {
    return createHmac('sha256', this.key).update(id).digest('hex');
  }

  private rewrite(): void {
    const lines = [...this.hashes].map(
      ([hash, day]) => `${hash} ${day}
`,
    );
    replaceFile(
      this.path,
      `${VERSION} ${this.key.toString('hex')}
${lines.join('')}`,
    );
  }
}

function read(path: string): { key: Buffer; hashes: Map<string, number> } | null {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  const [head, ...lines] = text.split('\n');
  const key = new RegExp(`^${VERSION} ([0-9a-f]{${KEY_BYTES * 2}})$`).exec(head)?.[1];
  if (key === undefined) {
    throw new StoreCorruptError(`${path}: expected version ${VERSION} and a key`);
  }
  const hashes = new Map<string, number>();
  for (const line of lines) {
    const [, hash, day] = /^([0-9a-f]{64}) (\d+)$/.exec(line) ?? [];
    // A crash may truncate the last line, whose erasure was not acknowledged.
    if (hash !== undefined) hashes.set(hash, Number(day));
  }
  return { key: Buffer.from(key, 'hex'), hashes };
}
