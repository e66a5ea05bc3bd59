import { labelled, type MetricFamily, single } from './families.ts';
import { type RelaySource, relayFamilies } from './relay.ts';
import { type RelayHealthSource, relayHealthFamilies } from './relay-health.ts';
import { type ShieldSource, shieldFamilies } from './shield.ts';

/** State of other parts, read at each scrape. A missing source (another role) has no metrics. */
export interface Sources {
  /** Version of this release. */
  readonly version?: () => string;
  /** Tells catalogs apart: equal texts have equal versions. */
  readonly catalogVersion?: () => string;
  /** Expiry of the certificate, in ms since 1970; null without one. */
  readonly certificateExpiryMs?: () => number | null;
  /** The latest SIGHUP, or the start. */
  readonly reload?: () => { readonly isGood: boolean; readonly atMs: number };
  readonly relay?: () => RelaySource;
  /** An edge's view of the relays in its answers. */
  readonly relays?: () => RelayHealthSource;
  readonly allowlist?: () => {
    entries: number;
    /** Number of the latest change applied. */
    seq: number;
    /** Changes that failed and are being retried. */
    unapplied: number;
    lagChanges: number;
    lagSeconds: number;
    reloads: number;
    digestMismatches: number;
  };
  /** Following of an allowlist whose store is on another host. */
  readonly remoteList?: () => {
    states: readonly string[];
    state: string;
    ageSeconds: number;
    heartbeatAgeSeconds: number;
  };
  /** Seconds that the wall clock jumped forward and is not trusted for; 0 while it is. */
  readonly clockJump?: () => number;
  /** Fetching of the catalog's bundle; ageSeconds null: not once since the start. */
  readonly bundle?: () => { isGood: boolean; ageSeconds: number | null };
  /** The snapshot that edges load, on the leader; null elsewhere. */
  readonly snapshot?: () => { bytes: number; behindMs: number } | null;
  /** Threads whose loop stands still. */
  readonly stuckThreads?: () => number;
  /** The registry's store answers. */
  readonly store?: () => boolean;
  /** Certificate by ACME. */
  readonly acme?: () => { failures: number; validToMs: number | null };
  /** Followed host names that wait for a look-up or its end. */
  readonly hostnamesDue?: () => number;
  /** Upstreams in the order of the configuration. */
  readonly upstreams?: () => readonly { url: string; healthy: boolean }[];
  readonly shield?: () => ShieldSource;
  readonly cache?: () => { entries: number; bytes: number };
  /** Queues of an interface that AF_XDP serves, and the kernel's drops. */
  readonly xdp?: () => {
    interface: string;
    mode: string;
    queues: number;
    drops: { dropped: number; ringFull: number; fillEmpty: number; invalid: number };
  };
}

/** Scheme, host and port of a configured URL; credentials and paths, which may hold a secret, are left out. */
export function upstreamLabel(url: string): string {
  const match = /^([a-z]+:\/\/)(?:[^/?#]*@)?((?:[\w.-]+|\[[\da-f:.]+\])(?::\d+)?)(?=[/?#]|$)/i.exec(url);
  return match ? match[1] + match[2] : 'other';
}

function acmeFamilies(acme: NonNullable<Sources['acme']>): MetricFamily[] {
  return [
    single(
      'counter',
      'acme_failures_total',
      'Orders that the ACME CA refused or did not answer',
      () => acme().failures,
    ),
    single(
      'gauge',
      'acme_certificate_expiry_timestamp_seconds',
      'End of the certificate by ACME; 0: none yet',
      () => (acme().validToMs ?? 0) / 1000,
    ),
  ];
}

/** Lists the metrics of the sources that are there. */
export function sourceFamilies(sources: Sources): MetricFamily[] {
  const {
    bundle,
    clockJump,
    allowlist,
    remoteList,
    store,
    snapshot,
    stuckThreads,
    hostnamesDue,
    acme,
    upstreams,
    cache,
    relays,
    shield,
    xdp,
    relay,
  } = sources;
  return [
    ...processFamilies(sources),
    ...(allowlist ? allowlistFamilies(allowlist) : []),
    ...(remoteList ? remoteListFamilies(remoteList) : []),
    ...(store
      ? [single('gauge', 'store_up', "Whether the registry's store answers", () => (store() ? 1 : 0))]
      : []),
    ...(snapshot ? snapshotFamilies(snapshot) : []),
    ...(stuckThreads
      ? [single('gauge', 'threads_stuck', 'Threads whose loop stands still', stuckThreads)]
      : []),
    ...(bundle ? bundleFamilies(bundle) : []),
    ...(clockJump
      ? [single('gauge', 'clock_jump_seconds', 'Forward jump of the clock; leases wait', clockJump)]
      : []),
    ...(acme ? acmeFamilies(acme) : []),
    ...(hostnamesDue
      ? [single('gauge', 'hostnames_due', 'Followed host names waiting for a look-up', hostnamesDue)]
      : []),
    ...(cache
      ? [
          single('gauge', 'cache_entries', 'Answers in the cache', () => cache().entries),
          single('gauge', 'cache_bytes', 'Memory of the answer cache', () => cache().bytes),
        ]
      : []),
    ...(upstreams ? [upstreamFamily(upstreams)] : []),
    ...(relays ? relayHealthFamilies(relays) : []),
    ...(shield ? shieldFamilies(shield) : []),
    ...(xdp ? xdpFamilies(xdp) : []),
    ...(relay ? relayFamilies(relay) : []),
  ];
}

function snapshotFamilies(snapshot: NonNullable<Sources['snapshot']>): MetricFamily[] {
  type Snapshot = NonNullable<ReturnType<typeof snapshot>>;
  const onLeader = (name: string, help: string, read: (found: Snapshot) => number): MetricFamily =>
    labelled('gauge', name, help, () => {
      const found = snapshot();
      return found === null ? [] : [{ value: read(found) }];
    });
  return [
    onLeader(
      'snapshot_bytes',
      'Size of the snapshot in Redis, on the leader; 0: not known yet',
      ({ bytes }) => bytes,
    ),
    onLeader(
      'snapshot_age_seconds',
      'Time that the snapshot in Redis has lacked changes, on the leader; 0 while it has all',
      ({ behindMs }) => behindMs / 1000,
    ),
  ];
}

function bundleFamilies(bundle: NonNullable<Sources['bundle']>): MetricFamily[] {
  return [
    single('gauge', 'catalog_refresh_success', 'Whether the last fetch of the catalog bundle was good', () =>
      bundle().isGood ? 1 : 0,
    ),
    single(
      'gauge',
      'catalog_refresh_age_seconds',
      'Time since the last good fetch of the catalog bundle; NaN: none since the start',
      () => bundle().ageSeconds ?? Number.NaN,
    ),
  ];
}

function processFamilies({ version, catalogVersion, certificateExpiryMs, reload }: Sources): MetricFamily[] {
  return [
    ...(version ? [info('build_info', 'Version of this release; always 1', version)] : []),
    ...(catalogVersion
      ? [info('catalog_info', 'Version of the catalog in use: equal texts have equal ones', catalogVersion)]
      : []),
    ...(certificateExpiryMs ? [expiryFamily(certificateExpiryMs)] : []),
    ...(reload
      ? [
          single('gauge', 'reload_success', 'Whether the latest reload was good', () =>
            reload().isGood ? 1 : 0,
          ),
          single(
            'gauge',
            'reload_timestamp_seconds',
            'Time of the latest good reload, or of the start',
            () => reload().atMs / 1000,
          ),
        ]
      : []),
  ];
}

function info(name: string, help: string, read: () => string): MetricFamily {
  return labelled('gauge', name, help, () => [{ labels: { version: read() }, value: 1 }]);
}

function expiryFamily(certificateExpiryMs: () => number | null): MetricFamily {
  const help = 'Expiry of the certificate of tls.certFile';
  return labelled('gauge', 'certificate_expiry_timestamp_seconds', help, () => {
    const expiryMs = certificateExpiryMs();
    return expiryMs === null ? [] : [{ value: expiryMs / 1000 }];
  });
}

function allowlistFamilies(allowlist: NonNullable<Sources['allowlist']>): MetricFamily[] {
  return [
    single('gauge', 'allowlist_entries', 'Registered addresses and prefixes', () => allowlist().entries),
    single('gauge', 'allowlist_seq', 'Number of the latest change applied', () => allowlist().seq),
    single(
      'gauge',
      'allowlist_unapplied_changes',
      'Changes that failed and are being retried: the allowlist lacks them',
      () => allowlist().unapplied,
    ),
    single('gauge', 'allowlist_lag_changes', 'Known changes not yet applied', () => allowlist().lagChanges),
    single(
      'gauge',
      'allowlist_lag_seconds',
      'Age of the oldest change not applied',
      () => allowlist().lagSeconds,
    ),
    single(
      'gauge',
      'allowlist_reloads',
      'Full loads of the allowlist since the start',
      () => allowlist().reloads,
    ),
    single(
      'gauge',
      'allowlist_digest_mismatches',
      "Times the allowlist's digest differed from the store's since the start",
      () => allowlist().digestMismatches,
    ),
  ];
}

function remoteListFamilies(remoteList: NonNullable<Sources['remoteList']>): MetricFamily[] {
  return [
    single(
      'gauge',
      'allowlist_age_seconds',
      "Time since the allowlist was last known to equal the store's",
      () => remoteList().ageSeconds,
    ),
    single(
      'gauge',
      'allowlist_heartbeat_age_seconds',
      'Time since a control was last seen to write to the store',
      () => remoteList().heartbeatAgeSeconds,
    ),
    labelled(
      'gauge',
      'allowlist_state',
      'State of following the store: 1 for the current state, 0 for the others',
      () => {
        const { states, state: current } = remoteList();
        return states.map((state) => ({ labels: { state }, value: state === current ? 1 : 0 }));
      },
    ),
  ];
}

function upstreamFamily(upstreams: NonNullable<Sources['upstreams']>): MetricFamily {
  return labelled(
    'gauge',
    'upstream_healthy',
    'Whether an upstream answers, by its place and URL in the configuration',
    () =>
      upstreams().map(({ url, healthy }, index) => ({
        labels: { index: String(index), upstream: upstreamLabel(url) },
        value: healthy ? 1 : 0,
      })),
  );
}

function xdpFamilies(xdp: NonNullable<Sources['xdp']>): MetricFamily[] {
  return [
    labelled(
      'gauge',
      'xdp_queues',
      'Receive queues served by AF_XDP, by interface and mode (zero-copy, driver, generic)',
      () => {
        const { interface: name, mode, queues } = xdp();
        return [{ labels: { interface: name, mode }, value: queues }];
      },
    ),
    labelled(
      'counter',
      'xdp_drops_total',
      'Packets that the kernel dropped on the way into or out of AF_XDP rings, by reason',
      () => {
        const { dropped, ringFull, fillEmpty, invalid } = xdp().drops;
        return [
          { labels: { reason: 'oversize_or_memory' }, value: dropped },
          { labels: { reason: 'ring_full' }, value: ringFull },
          { labels: { reason: 'no_frame' }, value: fillEmpty },
          { labels: { reason: 'invalid_descriptor' }, value: invalid },
        ];
      },
    ),
  ];
}
