import { readFileSync } from 'node:fs';
import { notifySupervisor, sealProcess, settleHeap } from '../sys/index.ts';
import { type Command, type Io, UsageError } from './command.ts';
import { crash } from './crash.ts';
import { parseOptions } from './options.ts';
import { readConfig } from './read-config.ts';
import { InheritedSockets } from './serve/inherited.ts';
import { ListeningSockets } from './serve/listening-sockets.ts';
import { createLog } from './serve/log.ts';
import { runInBackground } from './serve/replace/background.ts';
import { Takeover } from './serve/replace/takeover.ts';
import { Service } from './serve/service.ts';

/** After the start: gives the memory that compiling took back to the system. */
const SETTLE_MS = 1500;

const USAGE = `Usage: mediastreamer serve [--config FILE] [--replace [--background]]

Runs the roles of the configuration. SIGTERM and SIGINT stop it: it accepts nothing new, finishes work in flight
within 10 s and exits 0. An edge first answers on for dns.lameDuckSeconds with /readyz at 503; a second signal ends that.
Sockets that a supervisor holds (LISTEN_FDS) take the place of the configured addresses, see config/deploy/README.md.
SIGHUP reads configuration, catalog and certificate again; after an error the old ones stay.
The log is one JSON object a line on standard output, or readable text on a terminal.

  --config FILE  configuration; default: MEDIASTREAMER_CONFIG, else config/default.yaml
  --replace      take over from the process that runs with the same dataDir, and lose no query, call or relay stream: it
                 hands its sockets and the allowlist over and ends when its relay streams have, or after
                 relay.handoverHours. If this process cannot start, that one serves on. Starts if none runs
  --background   with --replace: returns when the new process serves, which runs on; for ExecReload= of systemd

Exit codes: 0 stopped, 1 could not start, 2 bad usage, 70 crash.
`;

async function run(args: string[], io: Io): Promise<number> {
  const options = parseOptions(args, {
    config: { type: 'string' },
    replace: { type: 'boolean' },
    background: { type: 'boolean' },
  });
  const { config: argument, replace = false, background = false } = options;
  if (background && !replace) throw new UsageError('--background needs --replace');
  const notify = (state: string): void => {
    const path = io.env['NOTIFY_SOCKET'];
    if (path !== undefined && path !== '') notifySupervisor(path, state);
  };
  if (background)
    return runInBackground(
      args.filter((arg) => arg !== '--background'),
      notify,
    );
  // Before the configuration is read: it holds secrets.
  const isSealed = sealProcess();
  const inherited = InheritedSockets.read(io.env, process.pid);
  const { dataDir } = readConfig(argument, io).config;
  const takeover = replace ? await Takeover.begin(dataDir, packageVersion()) : null;
  const sockets = new ListeningSockets(inherited, takeover?.sockets);
  const load = () => sockets.apply(readConfig(argument, io));
  const loaded = load();
  const terminal = process.stdout.isTTY === true;
  const log = createLog(loaded.config.log.level, terminal);
  if (!isSealed) log.warn({}, 'core dumps and debuggers are not shut out: the system calls for it failed');
  if (replace && takeover === null) log.info({}, 'no process with this dataDir runs: starting');
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
    takeover,
    log,
    version: packageVersion(),
    terminal,
    write: io.out,
    onFailure: crash,
  });
  setTimeout(settleHeap, SETTLE_MS).unref();
  starting.resolve(service);
  // The service is this process from now on, whichever it was.
  if (process.send !== undefined) process.send('ready');
  else notify(replace ? `MAINPID=${process.pid}\nREADY=1` : 'READY=1');
  const signal = await Promise.race([stopped, service.retired.then(() => null)]);
  if (signal !== null) log.info({ signal }, 'stopping');
  // The supervisor hears from the process that serves only.
  if (service.isRetired) {
    const isCut = signal === null && (await service.retired) === 'crowded';
    await service.stop(isCut ? 0 : undefined);
  } else {
    notify('STOPPING=1');
    await service.leave(again);
    await service.stop();
  }
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
