import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import type { StoreTransfer } from '../registry/transfer/index.ts';
import { type Io, UsageError } from './command.ts';
import { parseOptions } from './options.ts';
import { readConfig } from './read-config.ts';

/**
 * Runs export or import: opens the configured store, moves accounts between it and --file, and prints their number.
 * @param done past participle to print, such as `exported`
 */
export async function runTransfer(
  args: string[],
  io: Io,
  done: string,
  move: (transfer: StoreTransfer, file: string) => Promise<number>,
): Promise<number> {
  const { config: argument, file } = parseOptions(args, {
    config: { type: 'string' },
    file: { type: 'string' },
  });
  if (file === undefined) throw new UsageError('expected --file FILE');
  const { config } = readConfig(argument, io);
  const { openTransfer } = await import('../registry/transfer/index.ts');
  const makeId = (): string => randomBytes(12).toString('hex');
  try {
    const transfer = await openTransfer({
      store: config.store,
      dataDir: config.dataDir,
      waitReplicas: config.redis.waitReplicas,
      makeId,
    });
    try {
      io.out(`${done} ${await move(transfer, resolve(io.cwd, file))} accounts`);
    } finally {
      await transfer.close();
    }
    return 0;
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    if (code === undefined) throw error;
    io.err(message);
    return 1;
  }
}
