import { randomBytes } from 'node:crypto';
import { dirname } from 'node:path';
import { AllowlistFile } from '../allowlist/index.ts';
import type { Config } from '../config/index.ts';
import type { CopyReport, StoreReport } from '../registry/operator/index.ts';
import { type Command, type Io, UsageError } from './command.ts';
import { errorCode } from './error-code.ts';
import { parseOptions } from './options.ts';
import { readConfig } from './read-config.ts';

const USAGE = `Usage: mediastreamer registry verify [--config FILE] [--edge URL]... [--list DIRECTORY]...
       mediastreamer registry adopt --yes [--config FILE] [--replaces EPOCH]...

For a store on Redis. Run it on a control's host with its configuration.

verify  compares the entries, the snapshot and the log in Redis with each other, and with the allowlists of edges.
        Changes nothing.
adopt   after data loss: declares the data that Redis has now to be correct. A new epoch begins, the API answers
        again, and edges drop what Redis lacks: those addresses are refused until they are registered again. If there
        is a backup, restore it first. Look for NOPERM in Redis's log before: data that Redis could not load from its
        append-only file is lost for good by adopt.

  --config FILE     configuration; default: MEDIASTREAMER_CONFIG, else config/default.yaml
  --edge URL        compare the allowlist of the edge with this metrics listener, such as http://127.0.0.1:9153
  --list DIRECTORY  compare the last known allowlist in this edge's dataDir
  --replaces EPOCH  end this epoch too: one that edges hold and this control never saw
  --yes             confirm adopt

Exit codes: 0 all agree, or adopted; 1 a difference, or not adopted; 2 bad usage.
`;

const ATTEMPTS = 10;
const RETRY_MS = 200;
const EDGE_TIMEOUT_MS = 5_000;

async function run(args: string[], io: Io): Promise<number> {
  const [action, ...rest] = args;
  if (action === 'verify') return verify(rest, io);
  if (action === 'adopt') return adopt(rest, io);
  throw new UsageError('expected verify or adopt');
}

/** @throws ConfigError, UsageError for an embedded store. */
function redisConfig(argument: string | undefined, io: Io): Config {
  const { config } = readConfig(argument, io);
  if (config.store === 'embedded') throw new UsageError('the store of this configuration is embedded');
  return config;
}

async function adopt(args: string[], io: Io): Promise<number> {
  const options = parseOptions(args, {
    config: { type: 'string' },
    replaces: { type: 'string', multiple: true },
    yes: { type: 'boolean' },
  });
  if (options.yes !== true) throw new UsageError('adopt needs --yes: addresses that Redis lacks are lost');
  const { store: url, dataDir, redis } = redisConfig(options.config, io);
  const { adoptRedis } = await import('../registry/operator/index.ts');
  const makeId = (): string => randomBytes(12).toString('hex');
  const { epoch, seq, entries, erased, replaced } = await adoptRedis({
    url,
    dataDir,
    replaces: options.replaces ?? [],
    makeId,
    waitReplicas: redis.waitReplicas,
  });
  io.out(`adopted: epoch ${epoch} begins at change ${seq} with ${entries} addresses`);
  for (const ended of replaced) io.out(`  it replaces epoch ${ended}`);
  if (erased > 0) io.out(`  erased again, as this control had erased them before: ${erased}`);
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
    io.out('redis: holds no store');
    return 1;
  }
  const { epoch, seq, size, snapshot, isLogWhole, isLost } = report;
  io.out(`redis: epoch ${epoch}, change ${seq}, ${size} addresses${isLost ? '; CHANGES ARE MISSING' : ''}`);
  const findings = [
    !isLost,
    printPart(io, 'entries', report.entries),
    snapshot === null || printPart(io, 'snapshot', snapshot),
    isLogWhole,
  ];
  if (snapshot === null) io.out('snapshot: none');
  io.out(`log: ${isLogWhole ? 'whole' : 'CHANGES ARE MISSING'}`);
  for (const directory of options.list ?? []) findings.push(await verifyList(directory, report, io));
  for (const edge of options.edge ?? []) findings.push(await verifyEdge(edge, url, io));
  const isSound = findings.every(Boolean);
  io.out(isSound ? 'all agree' : 'NOT all agree');
  return isSound ? 0 : 1;
}

function printPart(io: Io, name: string, { epoch, seq, entries, agrees }: CopyReport): boolean {
  const verdict = agrees === null ? 'too old to compare by the log' : agrees ? 'agrees' : 'DIFFERS';
  io.out(`${name}: ${verdict} (${entries} addresses, change ${seq}, epoch ${epoch})`);
  return agrees !== false;
}

async function verifyList(directory: string, report: StoreReport, io: Io): Promise<boolean> {
  const file = new AllowlistFile(directory);
  try {
    const lastKnown = await file.read();
    if (lastKnown !== null) return printPart(io, `list in ${directory}`, report.compare(lastKnown.snapshot));
    io.out(`list in ${directory}: none`);
  } catch (error) {
    io.out(`list in ${dirname(file.path)}: NOT READABLE (${errorCode(error)})`);
  }
  return false;
}

interface EdgeAllowlist {
  readonly state: string;
  readonly epoch: string | null;
  readonly seq: number;
  readonly entries: number;
  /** Result of the edge's own comparison with Redis's digest at `seq`. */
  readonly digest: 'agrees' | 'differs' | 'unchecked';
}

/** Retries until edge and Redis are at the same change and the edge has compared its digest: changes go on meanwhile. */
async function verifyEdge(edge: string, store: string, io: Io): Promise<boolean> {
  const { verifyRedis } = await import('../registry/operator/index.ts');
  for (let attempt = 1; ; attempt++) {
    const found = await readEdgeAllowlist(edge);
    if (found === null) {
      io.out(`edge ${edge}: NOT REACHABLE, or not an edge`);
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
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

async function readEdgeAllowlist(edge: string): Promise<EdgeAllowlist | null> {
  try {
    const reply = await fetch(new URL('/readyz', edge), { signal: AbortSignal.timeout(EDGE_TIMEOUT_MS) });
    const { checks } = (await reply.json()) as { checks: (EdgeAllowlist & { name: string })[] };
    return checks.find(({ name }) => name === 'allowlist') ?? null;
  } catch {
    return null;
  }
}

export const command: Command = {
  name: 'registry',
  summary: 'verify a store on Redis and its edges, or adopt it after data loss',
  usage: USAGE,
  run,
};
