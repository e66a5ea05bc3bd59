import { randomBytes } from 'node:crypto';
import { dirname } from 'node:path';
import { AllowlistFile } from '../allowlist/index.ts';
import { type Config, loadConfig, locateConfig } from '../config/index.ts';
import type { CopyReport, StoreReport } from '../registry/operator/index.ts';
import { type Command, type Io, UsageError } from './command.ts';
import { parseOptions } from './options.ts';

const USAGE = `Usage: mediastreamer registry verify [--config FILE] [--edge URL]... [--list DIRECTORY]...
       mediastreamer registry adopt --yes [--config FILE] [--replaces EPOCH]...

For a store on Redis, on the host and with the configuration of a control.

verify  reads the whole list from Redis, compares its entries, its snapshot and its log with one another, and
        with it the edges' lists. Nothing is changed.
adopt   the operator's word that what Redis has now is the truth, after it has lost data: a new epoch begins, the
        API answers again, and edges give up what they held. Addresses that Redis lacks are refused from then on
        until they are registered again. If there is a backup, restore it before.

  --config FILE     the configuration; else MEDIASTREAMER_CONFIG, else config/default.yaml
  --edge URL        an edge's metrics listener, such as http://127.0.0.1:9153: its list is compared
  --list DIRECTORY  an edge's dataDir: its last known list is compared
  --replaces EPOCH  a further epoch that ends, where edges hold one that this control never knew
  --yes             the word itself

Exit codes: 0 all agree, or adopted; 1 not; 2 bad usage.
`;

const ATTEMPTS = 10;
const AGAIN_MS = 200;
const EDGE_MS = 5_000;

async function run(args: string[], io: Io): Promise<number> {
  const [action, ...rest] = args;
  if (action === 'verify') return verify(rest, io);
  if (action === 'adopt') return adopt(rest, io);
  throw new UsageError('expected verify or adopt');
}

/** @throws ConfigError, UsageError for an embedded store. */
function redisConfig(argument: string | undefined, io: Io): Config {
  const { config } = loadConfig({ file: locateConfig(argument, io.env), env: io.env, cwd: io.cwd });
  if (config.store === 'embedded') throw new UsageError('the store of this configuration is embedded');
  return config;
}

async function adopt(args: string[], io: Io): Promise<number> {
  const options = parseOptions(args, {
    config: { type: 'string' },
    replaces: { type: 'string', multiple: true },
    yes: { type: 'boolean' },
  });
  if (options.yes !== true) throw new UsageError('adopt takes --yes: what Redis lacks is lost by it');
  const { store: url, dataDir } = redisConfig(options.config, io);
  const { adoptRedis } = await import('../registry/operator/index.ts');
  const makeId = (): string => randomBytes(12).toString('hex');
  const { epoch, seq, entries, replaced } = await adoptRedis({
    url,
    dataDir,
    replaces: options.replaces ?? [],
    makeId,
  });
  io.out(`adopted: epoch ${epoch} begins at change ${seq} with ${entries} addresses`);
  for (const ended of replaced) io.out(`  it takes the place of epoch ${ended}`);
  return 0;
}

async function verify(args: string[], io: Io): Promise<number> {
  const options = parseOptions(args, {
    config: { type: 'string' },
    edge: { type: 'string', multiple: true },
    list: { type: 'string', multiple: true },
  });
  const { store: url } = redisConfig(options.config, io);
  const { verifyRedis } = await import('../registry/operator/index.ts');
  const report = await verifyRedis(url);
  if (report === null) {
    io.out('redis: there is no store in it');
    return 1;
  }
  const { epoch, seq, size, snapshot, isLogWhole, isLost } = report;
  io.out(`redis: epoch ${epoch}, change ${seq}, ${size} addresses${isLost ? ', and lacks changes' : ''}`);
  const findings = [
    !isLost,
    tell(io, 'entries', report.entries),
    snapshot === null || tell(io, 'snapshot', snapshot),
    isLogWhole,
  ];
  if (snapshot === null) io.out('snapshot: there is none');
  io.out(`log: ${isLogWhole ? 'whole' : 'CHANGES ARE MISSING'}`);
  for (const directory of options.list ?? []) findings.push(await verifyList(directory, report, io));
  for (const edge of options.edge ?? []) findings.push(await verifyEdge(edge, url, io));
  const isSound = findings.every(Boolean);
  io.out(isSound ? 'all agree' : 'NOT all agree');
  return isSound ? 0 : 1;
}

function tell(io: Io, name: string, { epoch, seq, entries, agrees }: CopyReport): boolean {
  const verdict = agrees === null ? 'too old for the log to compare' : agrees ? 'agrees' : 'DIFFERS';
  io.out(`${name}: ${verdict} (${entries} addresses, change ${seq}, epoch ${epoch})`);
  return agrees !== false;
}

async function verifyList(directory: string, report: StoreReport, io: Io): Promise<boolean> {
  const file = new AllowlistFile(directory);
  try {
    const kept = await file.read();
    if (kept !== null) return tell(io, `list in ${directory}`, report.compare(kept.snapshot));
    io.out(`list in ${directory}: there is none`);
  } catch (error) {
    io.out(`list in ${dirname(file.path)}: NOT READABLE (${(error as { code?: string }).code ?? 'unknown'})`);
  }
  return false;
}

interface EdgeList {
  readonly state: string;
  readonly epoch: string | null;
  readonly seq: number;
  readonly entries: number;
  /** Whether its list is Redis' at `seq`, by the digest that it has compared itself. */
  readonly digest: 'agrees' | 'differs' | 'unchecked';
}

/** Changes go on meanwhile: both are asked until they stand at the same one, and the edge has compared its list. */
async function verifyEdge(edge: string, store: string, io: Io): Promise<boolean> {
  const { verifyRedis } = await import('../registry/operator/index.ts');
  for (let attempt = 1; ; attempt++) {
    const found = await edgeList(edge);
    if (found === null) {
      io.out(`edge ${edge}: DOES NOT ANSWER as an edge does`);
      return false;
    }
    const report = await verifyRedis(store);
    const isSame = report !== null && found.epoch === report.epoch && found.seq === report.seq;
    if (isSame && found.digest !== 'unchecked') {
      const agrees = found.digest === 'agrees' && found.entries === report.size;
      io.out(`edge ${edge}: ${agrees ? 'agrees' : 'DIFFERS'} (${found.state}, change ${found.seq})`);
      return agrees;
    }
    if (attempt === ATTEMPTS) {
      const epoch = found.epoch ?? 'none';
      const verdict = isSame ? 'NOT COMPARED' : 'DIFFERS';
      io.out(`edge ${edge}: ${verdict} (${found.state}, change ${found.seq}, epoch ${epoch})`);
      return false;
    }
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
}

async function edgeList(edge: string): Promise<EdgeList | null> {
  try {
    const reply = await fetch(new URL('/readyz', edge), { signal: AbortSignal.timeout(EDGE_MS) });
    const { checks } = (await reply.json()) as { checks: (EdgeList & { name: string })[] };
    return checks.find(({ name }) => name === 'allowlist') ?? null;
  } catch {
    return null;
  }
}

export const command: Command = {
  name: 'registry',
  summary: 'verify a store on Redis and its edges, or adopt one that lost data',
  usage: USAGE,
  run,
};
