import { randomFillSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Config } from '../../../config/index.ts';
import { Counter, type CounterBlock } from '../../../metrics/index.ts';
import { formatAddress } from '../../../net/index.ts';
import {
  type AnswerStore,
  hasSystemDatagrams,
  parseUpstream,
  Resolver,
  readSystemUpstreams,
  SystemDatagrams,
  type UpstreamConfig,
} from '../../../resolver/index.ts';
import { socketAddresses } from '../../addresses.ts';
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
  /** Called when the thread that reads replies has ended. Null: no such thread, for a resolver with little to do. */
  onFailure: ((error: Error) => void) | null;
}

/** Opens the configured resolver; `system` stands for the host's resolvers, except our own listeners. */
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
  const usesThread = hasSystemDatagrams() && upstreams.some(({ scheme }) => scheme === 'udp');
  const datagrams = onFailure !== null && usesThread ? new SystemDatagrams(onFailure) : undefined;
  return new Resolver({
    upstreams,
    ...(datagrams && { datagrams }),
    cache,
    now,
    nameSeed,
    fillRandom: (bytes) => void randomFillSync(bytes),
    ttlLimits: { minTtlSeconds, maxTtlSeconds },
    onFoldsCase: (upstream) =>
      log.warn(
        { upstream },
        'this upstream changes the case of names and has no TCP: asking it without 0x20',
      ),
  });
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

/** Copies the resolver's counters into the main thread's block; call it before each scrape. */
export function copyResolverCounters(resolver: Resolver, block: CounterBlock): void {
  const { counters } = resolver;
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
