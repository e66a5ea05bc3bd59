import { buildCatalog, formatFault, hasFaults, loadServices, readServiceFiles } from '../catalog/index.ts';
import {
  formatSize,
  type Listener,
  type LoadedConfig,
  listenersOf,
  loadConfig,
  locateConfig,
} from '../config/index.ts';
import type { Command, Io } from './command.ts';
import { parseOptions } from './options.ts';

const USAGE = `Usage: mediastreamer check-config [--config FILE]

Checks a configuration and the catalogue files that it names, and sums up what they give. Nothing is opened
and nothing is written. Faults are one line each: file, line, path of the key, what was found, what was expected.

  --config FILE  the configuration; else MEDIASTREAMER_CONFIG, else config/default.yaml

Exit codes: 0 no faults (there may be warnings), 1 faults, 2 bad usage.
`;

async function run(args: string[], io: Io): Promise<number> {
  const { config: argument } = parseOptions(args, { config: { type: 'string' } });
  const loaded = loadConfig({ file: locateConfig(argument, io.env), env: io.env, cwd: io.cwd });
  const catalogue = await checkCatalogue(loaded);
  for (const fault of catalogue.faults) io.err(fault);
  if (catalogue.failed) return 1;
  io.out(summary(loaded, catalogue).join('\n'));
  for (const warning of [...loaded.warnings, ...catalogue.warnings]) io.out(`warning: ${warning}`);
  return 0;
}

interface Catalogue {
  readonly failed: boolean;
  readonly faults: readonly string[];
  readonly warnings: readonly string[];
  readonly services: number;
  readonly names: number;
}

async function checkCatalogue({ config, directory, file }: LoadedConfig): Promise<Catalogue> {
  const found = await readServiceFiles({ patterns: config.catalog.services, directory, configFile: file });
  const loaded = loadServices(found.files);
  const readFaults = [...found.faults, ...loaded.faults];
  // The tables are built from sound services only; the seed is of no matter for checking.
  const built = hasFaults(readFaults)
    ? []
    : buildCatalog({
        services: loaded.services,
        regions: config.regions,
        defaultRegion: config.defaultRegion,
        seed: 0,
        configFile: file,
      }).faults;
  const all = [...readFaults, ...built];
  return {
    failed: hasFaults(all),
    faults: all.filter(({ severity }) => severity === 'fault').map(formatFault),
    // Each line says that it is a warning where it is printed.
    warnings: all
      .filter(({ severity }) => severity === 'warning')
      .map((warning) => formatFault({ ...warning, severity: 'fault' })),
    services: loaded.services.length,
    names: loaded.services.reduce((sum, { names, exact }) => sum + names.length + exact.length, 0),
  };
}

function summary({ config, file }: LoadedConfig, catalogue: Catalogue): string[] {
  const regions = Object.entries(config.regions).map(([region, { relays }]) => {
    const count = `${relays.length} relay${relays.length === 1 ? '' : 's'}`;
    return region === config.defaultRegion ? `${region} (default): ${count}` : `${region}: ${count}`;
  });
  const rows: [string, string][] = [
    ['roles', config.roles.join(', ')],
    ...listenerRows(listenersOf(config)),
    ['store', config.store === 'embedded' ? `embedded, in ${config.dataDir}` : 'redis'],
    ['upstreams', config.upstreams.join(', ')],
    ['cache', formatSize(config.cache.bytes)],
    ['regions', regions.join(', ')],
    ['catalogue', `${catalogue.services} services, ${catalogue.names} names`],
    ['private addresses', config.registration.allowPrivate ? 'may register' : 'may not register'],
  ];
  const width = Math.max(...rows.map(([label]) => label.length));
  return [`${file}: no faults`, ...rows.map(([label, text]) => `  ${label.padEnd(width)}  ${text}`)];
}

/** One row a key that has listeners. */
function listenerRows(listeners: readonly Listener[]): [string, string][] {
  const rows = new Map<string, string[]>();
  for (const { key, text } of listeners) {
    const name = key.replace(/\[\d+\]$/, '');
    rows.set(name, [...(rows.get(name) ?? []), text]);
  }
  return [...rows].map(([name, texts]) => [name, texts.join(', ')]);
}

export const command: Command = {
  name: 'check-config',
  summary: 'check a configuration and its catalogue, and sum them up',
  usage: USAGE,
  run,
};
