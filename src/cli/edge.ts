import { askRunning } from './ask-running.ts';
import { type Command, type Io, UsageError } from './command.ts';
import { parseOptions } from './options.ts';
import { readConfig } from './read-config.ts';
import type { EdgeAnswer } from './serve/operator/commands.ts';

const USAGE = `Usage: mediastreamer edge drain [--config FILE]
       mediastreamer edge undrain [--config FILE]

Talks to the edge that runs with this configuration; run it as that process's user.

drain    makes /readyz answer 503, so that routes and balancers send homes to other edges. This edge still answers
         everything: wait until its queries have gone, then stop it.
undrain  makes /readyz answer 200 again if all else is well. A restart does so too.

  --config FILE  configuration; default: MEDIASTREAMER_CONFIG, else config/default.yaml

Exit codes: 0 done; 1 nothing was done; 2 bad usage.
`;

const COMMANDS = { drain: 'edge-drain', undrain: 'edge-undrain' } as const;

async function run([action, ...rest]: string[], io: Io): Promise<number> {
  if (action !== 'drain' && action !== 'undrain') throw new UsageError('expected drain or undrain');
  const { config: argument } = parseOptions(rest, { config: { type: 'string' } });
  const { dataDir } = readConfig(argument, io).config;
  const answer = await askRunning<EdgeAnswer>(dataDir, { command: COMMANDS[action] }, 'edge', io);
  if (answer === null) return 1;
  io.out(
    answer.isDraining
      ? 'this edge drains: /readyz is 503, and everything is still answered'
      : 'this edge is undrained: /readyz is 200 if all else is well',
  );
  return 0;
}

export const command: Command = {
  name: 'edge',
  summary: 'send homes to other edges before this one stops, or take them back',
  usage: USAGE,
  run,
};
