import { resolve } from 'node:path';
import { differences, formatDifferences, openBundle, parsePublicKey } from '../../catalog/bundle/index.ts';
import { type Io, UsageError } from '../command.ts';
import { parseArguments } from '../options.ts';
import { readConfig } from '../read-config.ts';
import { filesAt, onlyArgument, readBytes, servicesOf } from './files.ts';

export async function verify(args: string[], io: Io): Promise<number> {
  const { values, positionals } = parseArguments(args, {
    config: { type: 'string' },
    'public-key': { type: 'string' },
  });
  const path = resolve(io.cwd, onlyArgument(positionals, 'BUNDLE'));
  const text = values['public-key'] ?? readConfig(values.config, io).config.catalog.bundle.publicKey;
  if (text === null)
    throw new UsageError('expected --public-key, or catalog.bundle.publicKey in the configuration');
  const key = parsePublicKey(text);
  if (key === null) throw new UsageError('expected a public key of 44 characters of base64');
  const { version, files } = openBundle(readBytes(path), key);
  io.out(`version ${version}, ${servicesOf(files).length} services; the signature is right`);
  return 0;
}

export async function diff(args: string[], io: Io): Promise<number> {
  const { positionals } = parseArguments(args, {});
  const [before, after, ...more] = positionals;
  if (before === undefined || after === undefined || more.length > 0)
    throw new UsageError('expected OLD and NEW');
  const [old, now] = await Promise.all([filesAt(before, io), filesAt(after, io)]);
  io.out(formatDifferences(differences(servicesOf(old), servicesOf(now))));
  return 0;
}
