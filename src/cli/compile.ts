import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DEFAULT_CONFIG_FILE, loadConfig } from '../config/index.ts';
import { COMPILE_CACHE_DIRECTORY } from '../sys/index.ts';
import type { Command, Io } from './command.ts';
import { parseOptions } from './options.ts';
import { InheritedSockets } from './serve/inherited.ts';
import { ListeningSockets } from './serve/listening-sockets.ts';
import { createLog } from './serve/log.ts';
import { Service } from './serve/service.ts';

const USAGE = `Usage: mediastreamer compile

Fills the cache of compiled code, so that later starts need not load Node's type stripper, which takes 10 MB a thread.
Starts the service once, on free loopback ports with an empty directory, and stops it. npm start does this after an
installation, and so does the build of the image.
`;

/** Marks a filled cache; npm start looks for it. */
const MARK = '.compiled';

async function run(args: string[], io: Io): Promise<number> {
  parseOptions(args, {});
  const directory = mkdtempSync(join(tmpdir(), 'mediastreamer-'));
  try {
    const service = await Service.start({
      loaded: loadConfig({ file: trialConfig(directory), env: {}, cwd: directory }),
      sockets: new ListeningSockets(new InheritedSockets()),
      takeover: null,
      log: createLog('fatal', false),
      version: '0.0.0',
      terminal: false,
      write: () => {},
      onFailure: (error) => {
        throw error;
      },
    });
    await service.stop();
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  try {
    mkdirSync(COMPILE_CACHE_DIRECTORY, { recursive: true });
    writeFileSync(join(COMPILE_CACHE_DIRECTORY, MARK), '');
  } catch (error) {
    io.err(`cannot write the cache of compiled code: ${(error as NodeJS.ErrnoException).code}`);
  }
  return 0;
}

/** Uses the shipped catalog, so that its reader is compiled too, and free ports only. */
function trialConfig(directory: string): string {
  const file = join(directory, 'config.yaml');
  const services = join(DEFAULT_CONFIG_FILE, '..', 'services', '*.yaml');
  const text = [
    'roles: [control, edge]',
    'dataDir: ./var',
    'dns: { udp: ["127.0.0.1:0"], tcp: ["127.0.0.1:0"], workers: 1 }',
    'upstreams: ["udp://127.0.0.1:9"]',
    `catalog: { services: [${JSON.stringify(services)}] }`,
    'regions: { us: { relays: [{ address: 192.0.2.10 }] } }',
    'control: { listen: ["127.0.0.1:0"] }',
    'metrics: { listen: ["127.0.0.1:0"] }',
    'log: { level: fatal }',
  ];
  writeFileSync(file, `${text.join('\n')}\n`);
  return file;
}

export const command: Command = {
  name: 'compile',
  summary: 'fill the cache of compiled code (npm start does so once)',
  usage: USAGE,
  run,
};
