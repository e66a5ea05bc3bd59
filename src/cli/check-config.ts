import { formatSize, type Listener, type LoadedConfig, listenersOf } from '../config/index.ts';
import { certificateWarning, privateNamesWarning, readCertificate } from './certificate.ts';
import type { Command, Io } from './command.ts';
import { type LoadedCatalog, loadCatalog } from './load-catalog.ts';
import { machineWarnings } from './machine-warnings.ts';
import { parseOptions } from './options.ts';
import { readConfig } from './read-config.ts';

const USAGE = `Usage: mediastreamer check-config [--config FILE]

Checks a configuration with its catalog and certificate, and prints a summary. Opens no listener and writes nothing.
Each error is one line: file, line, path of the key, what was found, what was expected.

  --config FILE  configuration; default: MEDIASTREAMER_CONFIG, else config/default.yaml

Exit codes: 0 no errors (maybe warnings), 1 errors, 2 bad usage.
`;

/** Name-hash seed; any will do, as nothing is looked up. */
const ANY_SEED = 0;

async function run(args: string[], io: Io): Promise<number> {
  const { config: argument } = parseOptions(args, { config: { type: 'string' } });
  const loaded = readConfig(argument, io);
  const catalog = await loadCatalog(loaded, ANY_SEED);
  const certificate = readCertificate(loaded.config);
  for (const line of summary(loaded, catalog)) io.out(line);
  for (const warning of [...loaded.warnings, ...machineWarnings(loaded.config)])
    io.out(`${loaded.file}: warning: ${warning}`);
  for (const line of [...catalog.warnings, ...catalog.notes]) io.out(line);
  const expiry = certificate === null ? null : certificateWarning(certificate, Date.now());
  const { domain } = loaded.config.privateNames;
  const uncovered = certificate === null ? null : privateNamesWarning(certificate, domain);
  for (const warning of [expiry, uncovered]) {
    if (warning !== null) io.out(`${loaded.file}: warning: ${warning}`);
  }
  return 0;
}

function summary({ config, file }: LoadedConfig, { tables }: LoadedCatalog): string[] {
  const regions = Object.entries(config.regions).map(([region, { relays }]) => {
    const mark = region === config.defaultRegion ? ' (default)' : '';
    return `${region}${mark}: ${count(relays.length, 'relay')}`;
  });
  const names = tables.services.reduce(
    (sum, service) => sum + service.names.length + service.exact.length,
    0,
  );
  const rows: [string, string][] = [
    ['roles', config.roles.join(', ')],
    ...listenerRows(listenersOf(config)),
    ['store', config.store === 'embedded' ? `embedded, in ${config.dataDir}` : 'redis'],
    ['upstreams', config.upstreams.join(', ')],
    ['cache', formatSize(config.cache.bytes)],
    ['regions', regions.join(', ')],
    ['probes', probesOf(config)],
    ['catalog', `${count(tables.services.length, 'service')}, ${count(names, 'name')}`],
    ['private addresses', config.registration.allowPrivate ? 'may register' : 'may not register'],
  ];
  const width = Math.max(...rows.map(([label]) => label.length));
  return [`${file}: no errors`, ...rows.map(([label, text]) => `  ${label.padEnd(width)}  ${text}`)];
}

/** Describes the health probes of relays. */
function probesOf({ roles, health }: LoadedConfig['config']): string {
  if (!roles.includes('edge')) return 'none (roles has no edge)';
  if (health.names.length === 0) return 'none (health.names)';
  return `each relay every ${health.intervalSeconds} s, by ${health.names.join(', ')}`;
}

/** Returns one row for each key with listeners. */
function listenerRows(listeners: readonly Listener[]): [string, string][] {
  const rows = new Map<string, string[]>();
  for (const { key, text } of listeners) {
    const name = key.replace(/\[\d+\]$/, '');
    rows.set(name, [...(rows.get(name) ?? []), text]);
  }
  return [...rows].map(([name, texts]) => [name, texts.join(', ')]);
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

export const command: Command = {
  name: 'check-config',
  summary: 'check a configuration and print a summary',
  usage: USAGE,
  run,
};
