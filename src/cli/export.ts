import type { Command, Io } from './command.ts';
import { runTransfer } from './transfer.ts';

const USAGE = `Usage: mediastreamer export [--config FILE] --file FILE

Writes all accounts with all that belongs to them to FILE (JSON lines, mode 0600), which must not be there yet. Of
secrets it has the SHA-256 alone; it has addresses, so keep it as you keep the store. A service that runs on an embedded
store is to be stopped first. With a store on Redis it may go on; stop the controls for a copy of one moment.

  --config FILE   the configuration; else MEDIASTREAMER_CONFIG, else config/default.yaml
  --file FILE     what is written

Exit codes: 0 done; 1 not done, and nothing was changed; 2 bad usage.
`;

function run(args: string[], io: Io): Promise<number> {
  return runTransfer(args, io, 'exported', async (transfer, file) => {
    const { writeTransfer } = await import('../registry/transfer/index.ts');
    return writeTransfer(file, transfer.read());
  });
}

export const command: Command = {
  name: 'export',
  summary: 'write all accounts and registrations of the store to a file',
  usage: USAGE,
  run,
};
