import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import { loadConfig, locateConfig } from '../config/index.ts';
import { type Command, type Io, UsageError } from './command.ts';
import { parseOptions } from './options.ts';

const USAGE = `Usage: mediastreamer import [--config FILE] --file FILE

Takes what the command export wrote into the store of the configuration, which must have no accounts: all of it or
nothing. A service that runs on an embedded store is to be stopped first; controls on Redis answer 503 meanwhile.

  --config FILE   the configuration; else MEDIASTREAMER_CONFIG, else config/default.yaml
  --file FILE     what is read

Exit codes: 0 done; 1 not done, and nothing was changed; 2 bad usage.
`;

async function run(args: string[], io: Io): Promise<number> {
  const { config: argument, file } = parseOptions(args, {
    config: { type: 'string' },
    file: { type: 'string' },
  });
  if (file === undefined) throw new UsageError('expected --file FILE');
  const { config } = loadConfig({ file: locateConfig(argument, io.env), env: io.env, cwd: io.cwd });
  const { openTransfer, readTransfer } = await import('../registry/transfer/index.ts');
  const makeId = (): string => randomBytes(12).toString('hex');
  try {
    const transfer = await openTransfer({ store: config.store, dataDir: config.dataDir, makeId });
    try {
      const count = await transfer.write(readTransfer(resolve(io.cwd, file)));
      io.out(`imported ${count} accounts`);
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
  name: 'import',
  summary: 'take the accounts and registrations of a file into an empty store',
  usage: USAGE,
  run,
};
