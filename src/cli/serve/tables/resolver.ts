import { randomFillSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Config } from '../../../config/index.ts';
import { type ResolverReport, ResolverThread } from '../../../dns/index.ts';
import { Counter, type CounterBlock } from '../../../metrics/index.ts';
import { formatAddress } from '../../../net/index.ts';
import type { CacheHandle } from '../../../resolver/cache/index.ts';
import {
  type AnswerStore,
  parseUpstream,
  Resolver,
  readSystemUpstreams,
  type UpstreamConfig,
  type UpstreamQuirk,
} from '../../../resolver/index.ts';
import { socketAddresses } from '../../addresses.ts';
import { crashReport } from '../../crash.ts';
import type { Log } from '../log.ts';
import { machineAddresses } from '../own-addresses.ts';

const RESOLV_CONF = '/etc/resolv.conf';

export interface OpenResolverOptions {
  config: Config;
  cache: AnswerStore;
  now(): number;
  /** Name-hash seed; must match the one that the cache's readers use. */
  nameSeed: number;
  log: Log;
}

export interface ResolverThreadSettings {
  config: Config;
  cache: CacheHandle;
  /** Name-hash seed; must match the one that the cache's readers use. */
  nameSeed: number;
  log: Log;
  /** The thread crashed: nothing is resolved any more. */
  onFailure(error: Error): void;
}

/** Starts the configured resolver in a thread of its own. */
export function startResolverThread(settings: ResolverThreadSettings): Promise<ResolverThread> {
  const { config, cache, nameSeed, log, onFailure } = settings;
  const { minTtlSeconds, maxTtlSeconds } = config.cache;
  return ResolverThread.start({
    upstreams: configuredUpstreams(config, log),
    cache,
    nameSeed,
    ttlLimits: { minTtlSeconds, maxTtlSeconds },
    hasForwarders: config.roles.includes('edge'),
    onQuirk: warnOfQuirk(log),
    onError(error) {
      const { name, code, frames } = crashReport(error);
      log.error({ name, code, frames }, 'a query was not answered');
    },
    onFailure,
  });
}

/** Opens the configured resolver in this thread, for a process with little to resolve. */
export function openResolver({ config, cache, now, nameSeed, log }: OpenResolverOptions): Resolver {
  const { minTtlSeconds, maxTtlSeconds } = config.cache;
  return new Resolver({
    upstreams: configuredUpstreams(config, log),
    cache,
    now,
    nameSeed,
    fillRandom: (bytes) => void randomFillSync(bytes),
    ttlLimits: { minTtlSeconds, maxTtlSeconds },
    onQuirk: warnOfQuirk(log),
  });
}

const QUIRKS: Readonly<Record<UpstreamQuirk, string>> = {
  folds_case: 'this upstream changes the case of names and has no TCP: asking it without 0x20',
  drops_edns:
    'this upstream drops queries with EDNS: asking it without, so that validating homes get no signatures',
};

function warnOfQuirk(log: Log): (upstream: string, quirk: UpstreamQuirk) => void {
  return (upstream, quirk) => log.warn({ upstream }, QUIRKS[quirk]);
}

/** `system` stands for the host's resolvers, except our own listeners. */
function configuredUpstreams(config: Config, log: Log): readonly UpstreamConfig[] {
  return config.upstreams.flatMap((text) =>
    text === 'system' ? systemUpstreams(config, log) : [parseUpstream(text)],
  );
}

function systemUpstreams(config: Config, log: Log): readonly UpstreamConfig[] {
  const listeners = socketAddresses([...config.dns.udp, ...config.dns.tcp]).map(({ address, port }) => {
    return { address: formatAddress(address), port };
  });
  const found = readSystemUpstreams({
    path: RESOLV_CONF,
    readFile: (path) => readFileSync(path, 'utf8'),
    listeners,
    localAddresses: machineAddresses(),
  });
  const fields = {
    file: RESOLV_CONF,
    upstreams: found.upstreams.map(({ url }) => url),
    leftOut: found.own,
    unreadableLines: found.unreadableLines,
  };
  log.info(fields, 'upstreams taken from the host');
  return found.upstreams;
}

/** The upstreams after a reload; null: they are as before. `system` is read again. */
export function changedUpstreams(before: Config, after: Config, log: Log): readonly UpstreamConfig[] | null {
  const isSame = before.upstreams.join(' ') === after.upstreams.join(' ');
  return isSame && !after.upstreams.includes('system') ? null : configuredUpstreams(after, log);
}

/** Copies the resolver's counters into the main thread's block; call it before each scrape. */
export function copyResolverCounters({ counters, upstreams }: ResolverReport, block: CounterBlock): void {
  const { values } = block;
  values[Counter.COALESCED] = counters.coalesced;
  values[Counter.UPSTREAM_QUERIES] = counters.upstreamQueries;
  values[Counter.UPSTREAM_MISMATCHES] = counters.ignored;
  values[Counter.UPSTREAM_RETRIES] = counters.retries;
  values[Counter.PREFETCHES] = counters.prefetches;
  values[Counter.UPSTREAM_TRUNCATED] = counters.truncated;
  values[Counter.REMEMBERED_FAILURES] = counters.rememberedFailures;
  values[Counter.OVERLOADED] = counters.overloaded;
  values[Counter.UPSTREAM_FAILURES] = upstreams.reduce((sum, { failures }) => sum + failures, 0);
}
