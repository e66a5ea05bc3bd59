import type { CounterBlock } from '../../../metrics/index.ts';
import {
  LaterExposition,
  MetricsServer,
  type ReadinessCheck,
  type Sources,
} from '../../../metrics/scrape/index.ts';
import { formatAddress, HttpLimits, type SocketAddress } from '../../../net/index.ts';
import type { Registry } from '../../../registry/index.ts';
import { loopingThreads, monotonicClock } from '../../../sys/index.ts';
import type { KeeperState } from '../acme/index.ts';
import type { Log } from '../log.ts';
import type { LoadedFiles, Role } from '../roles/role.ts';
import type { BundleRefresh } from '../tables/bundle-refresh.ts';
import { ALLOWLIST_STATES } from '../tables/remote-allowlist.ts';
import { copyResolverCounters } from '../tables/resolver.ts';
import type { Tables } from '../tables/tables.ts';
import type { ClockWatch } from './clock-watch.ts';
import { allowlistReadiness, clockReadiness, storeReadiness } from './readiness.ts';
import { ThreadWatch } from './thread-watch.ts';

/** A few scrapers and probes. */
const METRICS_LIMITS = { connections: 64, connectionsPerSource: 16, isProxy: () => false };

export interface MetricsOptions {
  readonly version: string;
  readonly log: Log;
  /** The current files. */
  readonly files: () => LoadedFiles;
  /** The latest reload, or the start. */
  readonly reload: () => { readonly isGood: boolean; readonly atMs: number };
  readonly listeners: readonly SocketAddress[];
  /** Null on a process that keeps no leases. */
  readonly clock: ClockWatch | null;
  /** State of the certificate by ACME; null: files, or none. */
  readonly acme: (() => KeeperState) | null;
  readonly registry: Registry | null;
  /** Null on a process whose catalog comes from service files. */
  readonly bundles: BundleRefresh | null;
  readonly tables: Tables | null;
  readonly roles: readonly Role[];
  /** Counters of all threads; grows while threads start. */
  readonly blocks: readonly CounterBlock[];
  /** Counters of the main thread. */
  readonly counters: CounterBlock;
}

/** The metrics listener: /metrics, /healthz and /readyz over all parts of the process. */
export class Metrics {
  private readonly server: MetricsServer;
  private readonly exposition: LaterExposition;
  private readonly threads: ThreadWatch;

  private constructor(server: MetricsServer, exposition: LaterExposition, threads: ThreadWatch) {
    this.server = server;
    this.exposition = exposition;
    this.threads = threads;
  }

  /** @throws MetricsListenError */
  static async open(options: MetricsOptions): Promise<Metrics> {
    const { tables, counters, blocks } = options;
    const threads = watchThreads(options.log);
    const sources = { ...sourcesOf(options), stuckThreads: () => threads.stuck.length };
    const exposition = new LaterExposition({ blocks, sources });
    const server = await MetricsServer.open({
      limits: new HttpLimits(METRICS_LIMITS),
      listen: options.listeners.map(({ address, port, fd }) => {
        return { address: formatAddress(address), port, ...(fd !== undefined && { fd }) };
      }),
      checks: [...checksOf(options), { name: 'threads', check: () => threads.readiness() }],
      exposition: {
        contentType: exposition.contentType,
        text: async () => {
          if (tables !== null) copyResolverCounters(await tables.resolver.report(), counters);
          return exposition.text();
        },
      },
    });
    return new Metrics(server, exposition, threads);
  }

  /** URLs of the listeners. */
  get urls(): string[] {
    const urls = this.server.addresses.map(({ address, port }) => {
      return `http://${address.includes(':') ? `[${address}]` : address}:${port}`;
    });
    return [...new Set(urls)];
  }

  /** Loads the metrics library; the first scrape does so otherwise. */
  async load(): Promise<void> {
    await this.exposition.load();
  }

  async close(): Promise<void> {
    this.threads.close();
    await this.exposition.load();
    await this.server.close();
  }
}

function watchThreads(log: Log): ThreadWatch {
  return new ThreadWatch({
    threads: loopingThreads,
    now: monotonicClock(),
    onStuck: (thread) =>
      log.error({ thread }, 'a thread stands still: not ready, because what it has is not served'),
    onMoving: (thread) => log.info({ thread }, 'the thread goes on'),
  });
}

function sourcesOf(options: MetricsOptions): Sources {
  const { version, files, reload, bundles, clock, acme, registry, tables, roles } = options;
  return {
    version: () => version,
    catalogVersion: () => files().catalogVersion,
    certificateExpiryMs: () => files().certificate?.validToMs ?? null,
    reload,
    ...(bundles !== null && { bundle: () => bundles }),
    ...(clock !== null && { clockJump: () => clock.jumpSeconds }),
    ...(acme !== null && { acme }),
    ...(registry !== null && {
      store: () => registry.status().failed === null,
      snapshot: () => registry.snapshotStatus,
    }),
    ...(tables !== null && tableSources(tables)),
    ...Object.assign({}, ...roles.map(({ metrics }) => metrics)),
  };
}

function tableSources(tables: Tables): Sources {
  const { remote } = tables;
  return {
    allowlist: () => {
      const { entries, seq, unapplied, lagChanges, reloads, digestMismatches } = tables.follower.state;
      return {
        entries,
        seq,
        unapplied,
        reloads,
        digestMismatches,
        lagChanges: Math.max(lagChanges, remote?.lagChanges ?? 0),
        lagSeconds: Math.max(tables.lagSeconds, remote?.lagSeconds ?? 0),
      };
    },
    upstreams: () => tables.resolver.upstreams(),
    cache: () => tables.cache.stats,
    ...(remote !== null && {
      remoteList: () => {
        const { state, ageSeconds, heartbeatAgeSeconds } = remote;
        return { states: ALLOWLIST_STATES, state, ageSeconds, heartbeatAgeSeconds };
      },
    }),
  };
}

function checksOf({ clock, registry, tables, roles }: MetricsOptions): ReadinessCheck[] {
  const checks: ReadinessCheck[] = [];
  if (clock !== null) checks.push({ name: 'clock', check: () => clockReadiness(clock) });
  const hasRemote = tables !== null && tables.remote !== null;
  if (registry !== null) checks.push({ name: 'store', check: () => storeReadiness(registry, hasRemote) });
  if (tables !== null) checks.push({ name: 'allowlist', check: () => allowlistReadiness(tables) });
  return [...checks, ...roles.flatMap((role) => role.checks)];
}
