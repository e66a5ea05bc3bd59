import type { Command, Io } from './command.ts';
import { runTransfer } from './transfer.ts';

const USAGE = `Usage: mediastreamer export [--config FILE] --file FILE

Writes all accounts with everything they have to FILE (JSON lines, mode 0600). FILE must not exist. It holds secrets
as SHA-256 only, but it holds addresses: protect it like the store. With an embedded store stop the service first. With
Redis the service may go on; stop the controls to copy a single moment.

  --config FILE   configuration; default: MEDIASTREAMER_CONFIG, else config/default.yaml
  --file FILE     file to write

Exit codes: 0 done; 1 failed, nothing changed; 2 bad usage.
`;

function run(args: string[], io: Io): Promise<number> {
  return runTransfer(args, io, 'exported', async (transfer, file) => {
    const { writeTransfer } = await import('../registry/transfer/index.ts');
    return writeTransfer(file, transfer.read());
  });
}

export const command: Command = {
  name: 'export',
  summary: 'write all accounts of the store to a file',
  usage: USAGE,
  run,
};
