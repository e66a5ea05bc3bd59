import type { Command, Io } from './command.ts';
import { runTransfer } from './transfer.ts';

const USAGE = `Usage: mediastreamer import [--config FILE] --file FILE

Reads a file that the command export wrote into the configured store, all of it or nothing. The store must have no
accounts. With an embedded store stop the service first; controls on Redis answer 503 meanwhile.

  --config FILE   configuration; default: MEDIASTREAMER_CONFIG, else config/default.yaml
  --file FILE     file to read

Exit codes: 0 done; 1 failed, nothing changed; 2 bad usage.
`;

function run(args: string[], io: Io): Promise<number> {
  return runTransfer(args, io, 'imported', async (transfer, file) => {
    const { readTransfer } = await import('../registry/transfer/index.ts');
    return transfer.write(readTransfer(file));
  });
}

export const command: Command = {
  name: 'import',
  summary: 'read accounts from a file into an empty store',
  usage: USAGE,
  run,
};
