/**
 * Programs that tests run besides Node. `npm test` runs this file first: silent if all are there, as root on Debian it
 * installs the missing ones, elsewhere it prints one line with what to install.
 */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

export interface Tool {
  readonly command: string;
  readonly debianPackage: string;
}

export const TOOLS: readonly Tool[] = [
  { command: 'dig', debianPackage: 'bind9-dnsutils' },
  { command: 'kdig', debianPackage: 'knot-dnsutils' },
  { command: 'dnsperf', debianPackage: 'dnsperf' },
  { command: 'h2load', debianPackage: 'nghttp2-client' },
  { command: 'unbound', debianPackage: 'unbound' },
  { command: 'dnsmasq', debianPackage: 'dnsmasq-base' },
  { command: 'redis-server', debianPackage: 'redis-server' },
  { command: 'curl', debianPackage: 'curl' },
  { command: 'wget', debianPackage: 'wget' },
  { command: 'busybox', debianPackage: 'busybox' },
  { command: 'python3', debianPackage: 'python3' },
  { command: 'openssl', debianPackage: 'openssl' },
  { command: 'ip', debianPackage: 'iproute2' },
  { command: 'nft', debianPackage: 'nftables' },
  { command: 'setpriv', debianPackage: 'util-linux' },
  { command: 'chromium', debianPackage: 'chromium' },
  { command: 'ddclient', debianPackage: 'ddclient' },
  { command: 'inadyn', debianPackage: 'inadyn' },
  { command: 'microsocks', debianPackage: 'microsocks' },
  { command: 'tinyproxy', debianPackage: 'tinyproxy' },
  { command: 'caddy', debianPackage: 'caddy' },
  { command: 'haproxy', debianPackage: 'haproxy' },
  { command: 'nginx', debianPackage: 'nginx-light' },
  { command: 'runc', debianPackage: 'runc' },
  { command: 'setcap', debianPackage: 'libcap2-bin' },
  { command: 'systemd-analyze', debianPackage: 'systemd' },
  { command: 'dpkg-deb', debianPackage: 'dpkg' },
  { command: 'prometheus', debianPackage: 'prometheus' },
];

/** sbin has daemons and `ip`, and a user's PATH often lacks it. */
const SYSTEM_FOLDERS = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

/** Debian's hook for starting services: exit 101 keeps package scripts from starting daemons. */
const POLICY_FILE = '/usr/sbin/policy-rc.d';
const POLICY = '#!/bin/sh\nexit 101\n';

/** Folders to search for tools: those of `path`, then the system's. */
export function toolFolders(path: string): string[] {
  return [...path.split(delimiter).filter(Boolean), ...SYSTEM_FOLDERS];
}

/** Filters `tools` for those that are in none of `folders`. */
export function missingTools(tools: readonly Tool[], folders: readonly string[]): Tool[] {
  return tools.filter(({ command }) => !folders.some((folder) => isExecutable(join(folder, command))));
}

/** Returns true if os-release(5) text is from Debian or a derivative. */
export function isDebian(osRelease: string): boolean {
  return /^ID(_LIKE)?=.*\bdebian\b/m.test(osRelease);
}

/** One line for a person who has to install `missing` by hand. */
export function advice(missing: readonly Tool[]): string {
  const commands = missing.map(({ command }) => command).join(', ');
  return `npm test needs ${commands}; on Debian: apt-get install --no-install-recommends ${packagesOf(missing).join(' ')}`;
}

function packagesOf(tools: readonly Tool[]): string[] {
  return [...new Set(tools.map(({ debianPackage }) => debianPackage))];
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function aptGet(...args: string[]): boolean {
  const { status, stdout, stderr } = spawnSync('apt-get', ['-qq', '-o', 'DPkg::Lock::Timeout=120', ...args], {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    stdio: ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
  });
  if (status !== 0) process.stderr.write(`${stdout ?? ''}${stderr ?? ''}`);
  return status === 0;
}

/** Installs packages without letting them start their services. */
function install(packages: readonly string[]): boolean {
  const ownPolicy = !existsSync(POLICY_FILE);
  if (ownPolicy) writeFileSync(POLICY_FILE, POLICY, { mode: 0o755 });
  try {
    return aptGet('update') && aptGet('install', '--yes', '--no-install-recommends', ...packages);
  } finally {
    if (ownPolicy) rmSync(POLICY_FILE);
  }
}

/** Ensures that all tools are installed; returns the exit code. */
function main(): number {
  const folders = toolFolders(process.env['PATH'] ?? '');
  const missing = missingTools(TOOLS, folders);
  if (missing.length === 0) return 0;
  const mayInstall =
    process.getuid?.() === 0 &&
    existsSync('/etc/os-release') &&
    isDebian(readFileSync('/etc/os-release', 'utf8'));
  if (mayInstall && install(packagesOf(missing)) && missingTools(missing, folders).length === 0) return 0;
  process.stderr.write(`${advice(missing)}\n`);
  return 1;
}

if (import.meta.main) process.exitCode = main();
