import { readFileSync } from 'node:fs';
import { notifySupervisor, sealProcess, settleHeap } from '../sys/index.ts';
import type { Command, Io } from './command.ts';
import { crash } from './crash.ts';
import { parseOptions } from './options.ts';
import { readConfig } from './read-config.ts';
import { InheritedSockets } from './serve/inherited.ts';
import { ListeningSockets } from './serve/listening-sockets.ts';
import { createLog } from './serve/log.ts';
import { Service } from './serve/service.ts';

/** After the start: gives the memory that compiling took back to the system. */
const SETTLE_MS = 1500;

const USAGE = `Usage: mediastreamer serve [--config FILE]

Runs the roles of the configuration. SIGTERM and SIGINT stop it: it accepts nothing new, finishes work in flight
within 10 s and exits 0. An edge first answers on for dns.lameDuckSeconds with /readyz at 503; a second signal ends that.
Sockets that a supervisor holds (LISTEN_FDS) take the place of the configured addresses, see config/deploy/README.md.
SIGHUP reads configuration, catalog and certificate again; after an error the old ones stay.
The log is one JSON object a line on standard output, or readable text on a terminal.

  --config FILE  configuration; default: MEDIASTREAMER_CONFIG, else config/default.yaml

Exit codes: 0 stopped, 1 could not start, 2 bad usage, 70 crash.
`;

async function run(args: string[], io: Io): Promise<number> {
  const { config: argument } = parseOptions(args, { config: { type: 'string' } });
  // Before the configuration is read: it holds secrets.
  const isSealed = sealProcess();
  const sockets = new ListeningSockets(InheritedSockets.read(io.env, process.pid));
  const load = () => sockets.apply(readConfig(argument, io));
  const loaded = load();
  const terminal = process.stdout.isTTY === true;
  const log = createLog(loaded.config.log.level, terminal);
  if (!isSealed) log.warn({}, 'core dumps and debuggers are not shut out: the system calls for it failed');
  const notify = (state: string): void => {
    const path = io.env['NOTIFY_SOCKET'];
    if (path !== undefined && path !== '') notifySupervisor(path, state);
  };
  const [stopped, again] = [stopSignal(1), stopSignal(2)];
  // A SIGHUP during the start reloads after it; without a handler it would end the process.
  const starting = Promise.withResolvers<Service>();
  process.on('SIGHUP', () => {
    void starting.promise.then(async (service) => {
      notify(`RELOADING=1\nMONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`);
      await service.reload(load);
      notify('READY=1');
    });
  });
  const service = await Service.start({
    loaded,
    sockets,
    log,
    version: packageVersion(),
    terminal,
    write: io.out,
    onFailure: crash,
  });
  setTimeout(settleHeap, SETTLE_MS).unref();
  starting.resolve(service);
  notify('READY=1');
  log.info({ signal: await stopped }, 'stopping');
  notify('STOPPING=1');
  await service.leave(again);
  await service.stop();
  log.info({}, 'stopped');
  return 0;
}

/** Resolves with the nth signal to stop. */
function stopSignal(nth: number): Promise<NodeJS.Signals> {
  let count = 0;
  return new Promise((resolve) => {
    const take = (signal: NodeJS.Signals): void => {
      if (++count === nth) resolve(signal);
    };
    process.on('SIGTERM', take);
    process.on('SIGINT', take);
  });
}

function packageVersion(): string {
  const file = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

export const command: Command = {
  name: 'serve',
  summary: 'run the roles of the configuration (the default)',
  usage: USAGE,
  run,
};
