import { Counter, Gauge, type Registry } from 'prom-client';
import { type RelaySource, registerRelay } from './relay.ts';
import { type RelayHealthSource, registerRelayHealth } from './relay-health.ts';
import { registerShield, type ShieldSource } from './shield.ts';

/** What other parts hold, read at each scrape. A source that is missing (another role) has no metric. */
export interface Sources {
  /** A relay's counters. */
  readonly relay?: () => RelaySource;
  /** What an edge knows of the relays in its answers. */
  readonly relays?: () => RelayHealthSource;
  /** The list of registered addresses: its size, the sequence number it is at, and how far behind that is. */
  readonly allowlist?: () => {
    entries: number;
    seq: number;
    lagChanges: number;
    lagSeconds: number;
    reloads: number;
    digestMismatches: number;
  };
  /** That list, where its store is elsewhere: its state of these, and since when nothing is known of the store. */
  readonly remoteList?: () => {
    states: readonly string[];
    state: string;
    ageSeconds: number;
    heartbeatAgeSeconds: number;
  };
  /** Whether the store of accounts answers. */
  readonly store?: () => boolean;
  /** Upstreams in the order of the configuration, with their URLs. */
  readonly upstreams?: () => readonly { url: string; healthy: boolean }[];
  /** The filter in front of the UDP sockets. */
  readonly shield?: () => ShieldSource;
  readonly cache?: () => { entries: number; bytes: number };
  /** How a network interface is served by AF_XDP, and what the kernel dropped on the way. */
  readonly xdp?: () => {
    interface: string;
    mode: string;
    queues: number;
    drops: { dropped: number; ringFull: number; fillEmpty: number; invalid: number };
  };
}

/** Scheme, host and port of a configured URL: credentials, or a path that is as good as one, are not shown. */
export function upstreamLabel(url: string): string {
  const match = /^([a-z]+:\/\/)(?:[^/?#]*@)?((?:[\w.-]+|\[[\da-f:.]+\])(?::\d+)?)(?=[/?#]|$)/i.exec(url);
  return match ? match[1] + match[2] : 'other';
}

/** Makes the gauges of `sources` in `registry`. */
export function registerGauges(sources: Sources, registry: Registry): void {
  const gauge = (name: string, help: string, read: () => number) => {
    const made: Gauge = new Gauge({
      name: `mediastreamer_${name}`,
      help,
      registers: [registry],
      collect: () => made.set(read()),
    });
  };
  const { allowlist, remoteList, store, upstreams, cache } = sources;
  if (allowlist) {
    gauge('allowlist_entries', 'Addresses and prefixes that are registered', () => allowlist().entries);
    gauge('allowlist_seq', 'Sequence number of the latest change applied', () => allowlist().seq);
    gauge('allowlist_lag_changes', 'Changes known of but not applied', () => allowlist().lagChanges);
    gauge('allowlist_lag_seconds', 'Age of the oldest change not applied', () => allowlist().lagSeconds);
    gauge(
      'allowlist_reloads',
      'How often the list was loaded again since the start',
      () => allowlist().reloads,
    );
    gauge(
      'allowlist_digest_mismatches',
      "How often the list's digest was not the store's since the start",
      () => allowlist().digestMismatches,
    );
  }
  if (remoteList) {
    gauge(
      'allowlist_age_seconds',
      "Time since the list was last known to be the store's",
      () => remoteList().ageSeconds,
    );
    gauge(
      'allowlist_heartbeat_age_seconds',
      'Time since a control was seen to write to the store',
      () => remoteList().heartbeatAgeSeconds,
    );
    registerListState(remoteList, registry);
  }
  if (store) gauge('store_up', 'Whether the store of accounts answers', () => (store() ? 1 : 0));
  if (cache) {
    gauge('cache_entries', 'Answers in the cache', () => cache().entries);
    gauge('cache_bytes', 'Memory of the answer cache', () => cache().bytes);
  }
  if (upstreams) registerUpstreams(upstreams, registry);
  if (sources.relays) registerRelayHealth(sources.relays, registry);
  if (sources.shield) registerShield(sources.shield, registry);
  if (sources.xdp) registerXdp(sources.xdp, registry);
  if (sources.relay) registerRelay(sources.relay, registry);
}

function registerXdp(xdp: NonNullable<Sources['xdp']>, registry: Registry): void {
  const queues = new Gauge({
    name: 'mediastreamer_xdp_queues',
    help: 'Receive queues that are served by AF_XDP, by interface and mode (zero-copy, driver, generic)',
    labelNames: ['interface', 'mode'],
    registers: [registry],
    collect: () => {
      const { interface: name, mode, queues: count } = xdp();
      queues.set({ interface: name, mode }, count);
    },
  });
  const drops = new Counter({
    name: 'mediastreamer_xdp_drops_total',
    help: 'Packets that the kernel dropped on the way into or out of AF_XDP rings, by reason',
    labelNames: ['reason'],
    registers: [registry],
    collect: () => {
      const { dropped, ringFull, fillEmpty, invalid } = xdp().drops;
      drops.reset();
      drops.inc({ reason: 'oversize_or_memory' }, dropped);
      drops.inc({ reason: 'ring_full' }, ringFull);
      drops.inc({ reason: 'no_frame' }, fillEmpty);
      drops.inc({ reason: 'invalid_descriptor' }, invalid);
    },
  });
}

function registerListState(remoteList: NonNullable<Sources['remoteList']>, registry: Registry): void {
  const gauge = new Gauge({
    name: 'mediastreamer_allowlist_state',
    help: 'How the list stands to its store: 1 for the state that it is in, 0 for the others',
    labelNames: ['state'],
    registers: [registry],
    collect: () => {
      const { states, state } = remoteList();
      for (const each of states) gauge.set({ state: each }, each === state ? 1 : 0);
    },
  });
}

function registerUpstreams(upstreams: NonNullable<Sources['upstreams']>, registry: Registry): void {
  const gauge = new Gauge({
    name: 'mediastreamer_upstream_healthy',
    help: 'Whether an upstream answers, by its place and URL in the configuration',
    labelNames: ['index', 'upstream'],
    registers: [registry],
    collect: () => {
      gauge.reset();
      upstreams().forEach(({ url, healthy }, index) => {
        gauge.set({ index: String(index), upstream: upstreamLabel(url) }, healthy ? 1 : 0);
      });
    },
  });
}
