import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import {
  formatBundle,
  formatPublicKey,
  generateBundleKeys,
  isVersion,
  readPrivateKey,
  signBundle,
} from '../../catalog/bundle/index.ts';
import { replaceFile } from '../../sys/index.ts';
import { type Io, UsageError } from '../command.ts';
import { parseArguments, parseOptions } from '../options.ts';
import { readPrivateText } from '../private-text.ts';
import { readConfig } from '../read-config.ts';
import { filesOfConfig, OUTPUT_MODE, onlyArgument, readBytes, servicesOf } from './files.ts';

export async function keygen(args: string[], io: Io): Promise<number> {
  const { out } = parseOptions(args, { out: { type: 'string' } });
  if (out === undefined) throw new UsageError('expected --out FILE');
  const { privateKey, publicKey } = generateBundleKeys();
  // Never over another key: bundles that it signed could not be renewed.
  await writeFile(resolve(io.cwd, out), privateKey, { flag: 'wx', mode: 0o600 });
  io.out(publicKey);
  return 0;
}

export async function build(args: string[], io: Io): Promise<number> {
  const { config, out, version } = parseOptions(args, {
    config: { type: 'string' },
    out: { type: 'string' },
    version: { type: 'string' },
  });
  if (out === undefined) throw new UsageError('expected --out FILE');
  const files = await filesOfConfig(readConfig(config, io));
  return writeBundle(files, resolve(io.cwd, out), versionOf(version), io);
}

export async function sign(args: string[], io: Io): Promise<number> {
  const { values, positionals } = parseArguments(args, { key: { type: 'string' } });
  const path = resolve(io.cwd, onlyArgument(positionals, 'BUNDLE'));
  if (values.key === undefined) throw new UsageError('expected --key FILE');
  const key = readPrivateKey(readPrivateText(resolve(io.cwd, values.key)));
  replaceFile(path, signBundle(readBytes(path), key), { mode: OUTPUT_MODE });
  io.out(`signed; verify with ${formatPublicKey(key)}`);
  return 0;
}

/** Checks service files and writes them as a bundle. @throws CatalogError */
export function writeBundle(
  files: Parameters<typeof servicesOf>[0],
  path: string,
  version: number,
  io: Io,
): number {
  const services = servicesOf(files);
  replaceFile(path, formatBundle({ version, files }), { mode: OUTPUT_MODE });
  io.out(`version ${version}, ${services.length} services; not signed yet`);
  return 0;
}

/** The version that was asked for, else the present minute as YYYYMMDDHHMM. @throws UsageError */
export function versionOf(text: string | undefined): number {
  const version = Number(text ?? new Date().toISOString().replace(/\D/g, '').slice(0, 12));
  if (!isVersion(version)) throw new UsageError('expected --version with a whole number from 1');
  return version;
}
