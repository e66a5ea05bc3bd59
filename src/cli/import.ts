import type { Command, Io } from './command.ts';
import { runTransfer } from './transfer.ts';

const USAGE = `Usage: mediastreamer import [--config FILE] --file FILE

Takes what the command export wrote into the store of the configuration, which must have no accounts: all of it or
nothing. A service that runs on an embedded store is to be stopped first; controls on Redis answer 503 meanwhile.

  --config FILE   the configuration; else MEDIASTREAMER_CONFIG, else config/default.yaml
  --file FILE     what is read

Exit codes: 0 done; 1 not done, and nothing was changed; 2 bad usage.
`;

function run(args: string[], io: Io): Promise<number> {
  return runTransfer(args, io, 'imported', async (transfer, file) => {
    const { readTransfer } = await import('../registry/transfer/index.ts');
    return transfer.write(readTransfer(file));
  });
}

export const command: Command = {
  name: 'import',
  summary: 'take the accounts and registrations of a file into an empty store',
  usage: USAGE,
  run,
};
