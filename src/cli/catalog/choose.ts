import { type BundleStore, isVersion } from '../../catalog/bundle/index.ts';
import { type Io, UsageError } from '../command.ts';
import { bundleStoreOf } from '../load-catalog.ts';
import { parseArguments } from '../options.ts';
import { readConfig } from '../read-config.ts';
import { askOperatorSocket } from '../serve/operator/socket.ts';
import { onlyArgument } from './files.ts';

export async function status(args: string[], io: Io): Promise<number> {
  const { store } = open(args, io);
  const { current, previous, pinned } = store.state;
  if (current === null) io.out('no bundle was taken yet: the service files of catalog.services are served');
  else io.out(`version ${current}${pinned === null ? '' : ', pinned'}${before(previous)}`);
  return 0;
}

export async function pin(args: string[], io: Io): Promise<number> {
  const { store, dataDir, positionals } = open(args, io);
  const version = Number(onlyArgument(positionals, 'VERSION'));
  if (!isVersion(version)) throw new UsageError('expected a version, such as catalog status shows');
  store.pin(version);
  return apply(dataDir, `version ${version} is pinned`, io);
}

export async function unpin(args: string[], io: Io): Promise<number> {
  const { store, dataDir } = open(args, io);
  store.pin(null);
  return apply(dataDir, 'the newest bundle is taken again', io);
}

export async function rollback(args: string[], io: Io): Promise<number> {
  const { store, dataDir } = open(args, io);
  return apply(dataDir, `version ${store.rollback()} is pinned`, io);
}

function before(previous: number | null): string {
  return previous === null ? '' : `; before it ${previous}, which is kept`;
}

function open(args: string[], io: Io): { store: BundleStore; dataDir: string; positionals: string[] } {
  const { values, positionals } = parseArguments(args, { config: { type: 'string' } });
  const { config } = readConfig(values.config, io);
  const store = bundleStoreOf(config);
  if (store === null) throw new UsageError('catalog.bundle.url is not set in this configuration');
  return { store, dataDir: config.dataDir, positionals };
}

/** Has the running process read the catalog again. */
async function apply(dataDir: string, done: string, io: Io): Promise<number> {
  const reply = await askOperatorSocket<{ error?: string }>(dataDir, { command: 'reload-catalog' });
  if (reply?.error !== undefined) {
    io.err(`${done}, but the running process did not take it: ${reply.error}`);
    return 1;
  }
  io.out(
    reply === null ? `${done}; it counts from the next start (no process runs here)` : `${done} and served`,
  );
  return 0;
}
