import { Gauge, type Registry } from 'prom-client';

/** What other parts hold, read at each scrape. A source that is missing (another role) has no metric. */
export interface Sources {
  /** The list of registered addresses: its size, the sequence number it is at, and how far behind that is. */
  readonly allowlist?: () => { entries: number; seq: number; lagChanges: number; lagSeconds: number };
  /** Whether the store of accounts answers. */
  readonly store?: () => boolean;
  /** Upstreams in the order of the configuration, with their URLs. */
  readonly upstreams?: () => readonly { url: string; healthy: boolean }[];
  readonly cache?: () => { entries: number; bytes: number };
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
  const { allowlist, store, upstreams, cache } = sources;
  if (allowlist) {
    gauge('allowlist_entries', 'Addresses and prefixes that are registered', () => allowlist().entries);
    gauge('allowlist_seq', 'Sequence number of the latest change applied', () => allowlist().seq);
    gauge('allowlist_lag_changes', 'Changes known of but not applied', () => allowlist().lagChanges);
    gauge('allowlist_lag_seconds', 'Age of the oldest change not applied', () => allowlist().lagSeconds);
  }
  if (store) gauge('store_up', 'Whether the store of accounts answers', () => (store() ? 1 : 0));
  if (cache) {
    gauge('cache_entries', 'Answers in the cache', () => cache().entries);
    gauge('cache_bytes', 'Memory of the answer cache', () => cache().bytes);
  }
  if (upstreams) registerUpstreams(upstreams, registry);
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
