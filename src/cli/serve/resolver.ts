import { randomFillSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import type { Config } from '../../config/index.ts';
import { Counter, type CounterBlock } from '../../metrics/index.ts';
import { formatAddress, parseSocketAddress } from '../../net/index.ts';
import {
  type AnswerStore,
  hasSystemDatagrams,
  parseUpstream,
  Resolver,
  type ResolverCounters,
  readSystemUpstreams,
  SystemDatagrams,
  type UpstreamConfig,
} from '../../resolver/index.ts';
import type { Log } from './log.ts';

const RESOLV_CONF = '/etc/resolv.conf';

export interface OpenResolverOptions {
  config: Config;
  cache: AnswerStore;
  now(): number;
  /** Of the hashes of names, the one that the cache's readers look up by. */
  nameSeed: number;
  log: Log;
  /** Told when replies of upstreams are not read any more; null for a resolver that is asked seldom: it gets no thread. */
  onFailure: ((error: Error) => void) | null;
}

/** Makes the resolver of a configuration; `system` becomes the host's resolvers, less ourselves. */
export function openResolver({
  config,
  cache,
  now,
  nameSeed,
  log,
  onFailure,
}: OpenResolverOptions): Resolver {
  const { minTtlSeconds, maxTtlSeconds } = config.cache;
  const upstreams = config.upstreams.flatMap((text) =>
    text === 'system' ? systemUpstreams(config, log) : [parseUpstream(text)],
  );
  const isThreadOfUse = hasSystemDatagrams() && upstreams.some(({ scheme }) => scheme === 'udp');
  const datagrams = onFailure !== null && isThreadOfUse ? new SystemDatagrams(onFailure) : undefined;
  return new Resolver({
    upstreams,
    ...(datagrams && { datagrams }),
    cache,
    now,
    nameSeed,
    fillRandom: (bytes) => void randomFillSync(bytes),
    ttlLimits: { minTtlSeconds, maxTtlSeconds },
  });
}

function systemUpstreams(config: Config, log: Log): readonly UpstreamConfig[] {
  const listeners = [...config.dns.udp, ...config.dns.tcp].map((text) => {
    const { address, port } = parseSocketAddress(text)!;
    return { address: formatAddress(address), port };
  });
  const localAddresses = Object.values(networkInterfaces()).flatMap((addresses) =>
    (addresses ?? []).map(({ address }) => address),
  );
  const found = readSystemUpstreams({
    path: RESOLV_CONF,
    readFile: (path) => readFileSync(path, 'utf8'),
    listeners,
    localAddresses,
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

/** Copies what the resolver has counted into the main thread's block, before each scrape. */
export function copyResolverCounters(resolver: Resolver, block: CounterBlock): void {
  const counters: ResolverCounters = resolver.counters;
  const { values } = block;
  values[Counter.COALESCED] = counters.coalesced;
  values[Counter.UPSTREAM_QUERIES] = counters.upstreamQueries;
  values[Counter.UPSTREAM_MISMATCHES] = counters.ignored;
  values[Counter.UPSTREAM_RETRIES] = counters.retries;
  values[Counter.PREFETCHES] = counters.prefetches;
  values[Counter.UPSTREAM_TRUNCATED] = counters.truncated;
  values[Counter.REMEMBERED_FAILURES] = counters.rememberedFailures;
  values[Counter.OVERLOADED] = counters.overloaded;
  values[Counter.UPSTREAM_FAILURES] = resolver.upstreams().reduce((sum, { failures }) => sum + failures, 0);
}
