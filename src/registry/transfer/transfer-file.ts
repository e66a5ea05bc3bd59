import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { StoreCorruptError, StoreUnavailableError } from '../errors.ts';
import { type AccountTransfer, inOrder, TRANSFER_FORMAT, TRANSFER_VERSION } from './account-transfer.ts';

const CHUNK_CHARACTERS = 1 << 20;

/**
 * Writes accounts to a new file: JSON lines, mode 0600. The first line has format and version, the last one the number
 * of accounts and the SHA-256 of all lines before it, which reveals a truncated file. The file gets its name once it is
 * complete and synced. Returns the number of accounts.
 *
 * @throws StoreUnavailableError if the file exists or cannot be written
 */
export async function writeTransfer(path: string, accounts: AsyncIterable<AccountTransfer>): Promise<number> {
  const draft = `${path}.part`;
  const file = await openNew(path, draft);
  try {
    const lines = new LineWriter(file);
    await lines.write({ format: TRANSFER_FORMAT, version: TRANSFER_VERSION });
    let count = 0;
    for await (const account of accounts) {
      await lines.write(inOrder(account));
      count++;
    }
    await lines.end(count);
    await file.sync();
    await file.close();
    await rename(draft, path);
    return count;
  } catch (error) {
    await file.close().catch(() => {});
    await rm(draft, { force: true });
    throw error;
  }
}

/**
 * Reads the accounts of a file, which is verified as a whole before the first account is returned.
 *
 * @throws StoreCorruptError for another kind of file, or a truncated or changed one; StoreUnavailableError
 */
export async function* readTransfer(path: string): AsyncGenerator<AccountTransfer> {
  for await (const _ of linesOf(path)) {
    // Verify to the end first: a damaged file must not be half imported.
  }
  yield* linesOf(path);
}

class LineWriter {
  private readonly file: FileHandle;
  private readonly hash = createHash('sha256');
  private buffer = '';

  constructor(file: FileHandle) {
    this.file = file;
  }

  async write(value: object): Promise<void> {
    this.buffer += `${JSON.stringify(value)}\n`;
    if (this.buffer.length >= CHUNK_CHARACTERS) await this.flush();
  }

  async end(accounts: number): Promise<void> {
    await this.flush();
    const sha256 = this.hash.copy().digest('hex');
    await this.write({ end: true, accounts, sha256 });
    await this.flush();
  }

  private async flush(): Promise<void> {
    this.hash.update(this.buffer);
    await this.file.writeFile(this.buffer);
    this.buffer = '';
  }
}

async function* linesOf(path: string): AsyncGenerator<AccountTransfer> {
  const hash = createHash('sha256');
  let number = 0;
  let accounts = 0;
  let isEnded = false;
  try {
    for await (const line of createInterface({ input: createReadStream(path), crlfDelay: 0 })) {
      number++;
      if (isEnded) throw damaged(path, number, 'nothing after the last line');
      const value = parse(path, number, line);
      if (number === 1) {
        if (value['format'] !== TRANSFER_FORMAT || value['version'] !== TRANSFER_VERSION) {
          throw damaged(path, 1, `format ${TRANSFER_FORMAT}, version ${TRANSFER_VERSION}`);
        }
      } else if (value['end'] === true) {
        if (value['accounts'] !== accounts || value['sha256'] !== hash.copy().digest('hex')) {
          throw damaged(path, number, 'the count and the checksum of the lines before it');
        }
        isEnded = true;
      } else {
        accounts++;
        yield value as unknown as AccountTransfer;
      }
      hash.update(`${line}\n`);
    }
  } catch (error) {
    if (error instanceof StoreCorruptError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    throw new StoreUnavailableError(`${path}: cannot be read (${code ?? 'unknown'})`);
  }
  if (!isEnded) throw damaged(path, number + 1, 'a last line with the checksum: the file is truncated');
}

function parse(path: string, number: number, line: string): Record<string, unknown> {
  try {
    const value = JSON.parse(line);
    if (typeof value === 'object' && value !== null) return value;
  } catch {
    // Reported below.
  }
  throw damaged(path, number, 'a line of JSON');
}

function damaged(path: string, line: number, expected: string): StoreCorruptError {
  return new StoreCorruptError(`${path}, line ${line}: expected ${expected}`);
}

async function openNew(path: string, draft: string): Promise<FileHandle> {
  try {
    // 'wx' fails for an existing file.
    await (await open(path, 'wx', 0o600)).close();
    await rm(path);
    return await open(draft, 'w', 0o600);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = code === 'EEXIST' ? 'is there already' : `cannot be written (${code ?? 'unknown'})`;
    throw new StoreUnavailableError(`${path}: ${why}`);
  }
}
