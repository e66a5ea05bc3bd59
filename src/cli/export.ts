import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import { loadConfig, locateConfig } from '../config/index.ts';
import { type Command, type Io, UsageError } from './command.ts';
import { parseOptions } from './options.ts';

const USAGE = `Usage: mediastreamer export [--config FILE] --file FILE

Writes all accounts with all that belongs to them to FILE (JSON lines, mode 0600), which must not be there yet. Of
secrets it has the SHA-256 alone; it has addresses, so keep it as you keep the store. A service that runs on an embedded
store is to be stopped first. With a store on Redis it may go on; stop the controls for a copy of one moment.

  --config FILE   the configuration; else MEDIASTREAMER_CONFIG, else config/default.yaml
  --file FILE     what is written

Exit codes: 0 done; 1 not done, and nothing was changed; 2 bad usage.
`;

async function run(args: string[], io: Io): Promise<number> {
  const { config: argument, file } = parseOptions(args, {
    config: { type: 'string' },
    file: { type: 'string' },
  });
  if (file === undefined) throw new UsageError('expected --file FILE');
  const { config } = loadConfig({ file: locateConfig(argument, io.env), env: io.env, cwd: io.cwd });
  const { openTransfer, writeTransfer } = await import('../registry/transfer/index.ts');
  const makeId = (): string => randomBytes(12).toString('hex');
  try {
    const transfer = await openTransfer({ store: config.store, dataDir: config.dataDir, makeId });
    try {
      const count = await writeTransfer(resolve(io.cwd, file), transfer.read());
      io.out(`exported ${count} accounts`);
    } finally {
      await transfer.close();
    }
    return 0;
  } catch (fault) {
    const { code, message } = fault as { code?: string; message: string };
    if (code === undefined) throw fault;
    io.err(message);
    return 1;
  }
}

export const command: Command = {
  name: 'export',
  summary: 'write all accounts and registrations of the store to a file',
  usage: USAGE,
  run,
};
