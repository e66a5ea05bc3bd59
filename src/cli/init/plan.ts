import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FileToWrite } from './files.ts';
import type { HostAddresses } from './host-addresses.ts';
import { ObstacleError } from './obstacle.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const DEFAULT_DIRECTORY = '/etc/mediastreamer';
const DEFAULT_DATA_DIRECTORY = '/var/lib/mediastreamer';
const PACKAGED_UNIT = '/lib/systemd/system/mediastreamer.service';
const OTHERS_READ = 0o004;
const OTHERS_ENTER = 0o001;
const OWN_UNIT = '/etc/systemd/system/mediastreamer.service';

/** Where things are on this host. */
export interface Places {
  readonly directory: string;
  readonly config: string;
  readonly dataDir: string;
  /** Script that runs the program. */
  readonly launcher: string;
  /** systemd runs this host, and init uses the default directory. */
  readonly hasSystemd: boolean;
}

/** @param dir argument of --dir; configuration and data are below it, and no unit is written */
export function placesOf(dir: string | undefined, cwd: string): Places {
  const directory = dir === undefined ? DEFAULT_DIRECTORY : resolve(cwd, dir);
  return {
    directory,
    config: join(directory, 'config.yaml'),
    dataDir: dir === undefined ? DEFAULT_DATA_DIRECTORY : join(directory, 'var'),
    launcher: join(ROOT, 'src/mediastreamer.sh'),
    hasSystemd: dir === undefined && existsSync('/run/systemd/system'),
  };
}

/** Answers that the configuration holds. */
export interface Answers {
  readonly domain: string;
  readonly email: string | null;
}

/** The unit's user is not root: a checkout in a home directory is closed to it. @throws ObstacleError */
export function checkLauncher({ launcher, hasSystemd }: Places): void {
  if (!hasSystemd || existsSync(PACKAGED_UNIT)) return;
  for (let path = launcher; path !== '/'; path = dirname(path)) {
    const { mode } = statSync(path);
    const needed = path === launcher ? OTHERS_READ : OTHERS_ENTER;
    if ((mode & needed) !== 0) continue;
    throw new ObstacleError(
      `${path} is closed to other users, and the service runs as a user of its own, which could not read the program. Move the ` +
        `checkout to a place that all users can read, such as /opt/mediastreamer, and run init there.`,
    );
  }
}

/** Lists the files of a host with this domain. */
export function filesOf(
  places: Places,
  { domain, email }: Answers,
  { address, address6, listenAddress }: HostAddresses,
  directoryUrl: string | undefined,
): FileToWrite[] {
  const lines = [
    '# Written by mediastreamer init. What is missing here follows from domain and address, or has its default:',
    '# mediastreamer check-config shows it, and config/default.yaml explains each key.',
    `domain: ${domain}`,
    `address: ${address}`,
    ...(address6 === null ? [] : [`address6: ${JSON.stringify(address6)}`]),
    ...(listenAddress === null ? [] : [`listenAddress: ${listenAddress} # the provider maps address to it`]),
    `dataDir: ${JSON.stringify(places.dataDir)}`,
    'acme:',
    '  agree: true # to the terms of the CA',
    ...(email === null ? [] : [`  email: ${JSON.stringify(email)}`]),
    ...(directoryUrl === undefined ? [] : [`  directory: ${JSON.stringify(directoryUrl)}`]),
  ];
  const example = readFileSync(join(ROOT, 'config/production.yaml'), 'utf8');
  const config = { path: places.config, text: `${lines.join('\n')}\n`, replaceable: example };
  if (!places.hasSystemd || existsSync(PACKAGED_UNIT)) return [config];
  return [config, { path: OWN_UNIT, text: unitFor(places.launcher), replaceable: null }];
}

/** The shipped unit for a checkout: it runs this launcher as a user that systemd makes. */
export function unitFor(launcher: string): string {
  return readFileSync(join(ROOT, 'config/deploy/systemd/mediastreamer.service'), 'utf8')
    .replace('User=mediastreamer\nGroup=mediastreamer\n', 'DynamicUser=yes\nUser=mediastreamer\n')
    .replaceAll('=/usr/bin/mediastreamer ', `=/bin/sh ${launcher} `)
    .replace('ProtectHome=yes', 'ProtectHome=read-only');
}
