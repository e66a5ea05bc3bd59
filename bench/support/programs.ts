import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Debian's package of each program that a bench runs, where their names differ from it. */
const PACKAGES: Readonly<Record<string, string>> = {
  taskset: 'util-linux',
  'redis-server': 'redis-server',
  h2load: 'nghttp2-client',
  perf: 'linux-perf',
  cc: 'gcc libc6-dev',
};
const FOLDERS = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin'];

/** Where a program lies; null: it is not installed. */
export function findProgram(name: string): string | null {
  for (const folder of FOLDERS) {
    const file = join(folder, name);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // It may be in the next one.
    }
  }
  return null;
}

/** Says in one line what is missing, and ends the process with 1, where a program is. */
export function requirePrograms(names: readonly string[]): void {
  const missing = names.filter((name) => findProgram(name) === null);
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map((name) => PACKAGES[name] ?? name))];
  process.stderr.write(
    `this bench needs ${missing.join(', ')}; on Debian: apt-get install --no-install-recommends ${packages.join(' ')}\n`,
  );
  process.exit(1);
}
