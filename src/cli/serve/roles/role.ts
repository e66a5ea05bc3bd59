import type { CatalogTables } from '../../../catalog/index.ts';
import type { Config, LoadedConfig } from '../../../config/index.ts';
import type { CounterBlock } from '../../../metrics/index.ts';
import type { ReadinessCheck, Sources } from '../../../metrics/scrape/index.ts';
import type { SocketAddress, TlsCertificate } from '../../../net/index.ts';
import type { ServerName } from '../inherited.ts';
import type { Log } from '../log.ts';

/** The files a process runs on, as the last successful reload read them. */
export interface LoadedFiles {
  readonly loaded: LoadedConfig;
  readonly catalog: CatalogTables;
  /** Version of the bundle, or a digest of the service files that the process read. */
  readonly catalogVersion: string;
  /** Version of the bundle that the catalog came from; null: service files. */
  readonly bundleVersion: number | null;
  /** Null when no listener needs one. */
  readonly certificate: TlsCertificate | null;
  readonly warnings: readonly string[];
  /** Findings that are as expected with the shipped catalog. */
  readonly notes: readonly string[];
}

/** Passed to every role when it starts. */
export interface RoleContext {
  /** The configuration the process started with; a reload changes part of it, see `files`. */
  readonly config: Config;
  /** Name-hash seed; must match the one the catalog was built with. */
  readonly seed: number;
  readonly version: string;
  /** False: UDP threads ask the resolver for every miss, because their sockets exceed the limit of open files. */
  readonly forwardsInThreads: boolean;
  readonly log: Log;
  /** Counters of the main thread. */
  readonly counters: CounterBlock;
  /** Listeners of a server: inherited sockets, else the configured addresses. */
  listeners(name: ServerName): SocketAddress[];
  /** The current files. */
  files(): LoadedFiles;
  /** Adds the counters of another thread to the metrics. */
  addCounters(block: CounterBlock): void;
  /** Ends the process: a role can no longer serve. */
  onFailure(error: Error): void;
}

/** One role of the configuration, started. */
export interface Role {
  /** Listeners and engines, for the "ready" line of the log. */
  readonly ready: Readonly<Record<string, unknown>>;
  /** Checks that /readyz lists. */
  readonly checks: readonly ReadinessCheck[];
  /** Sources of this role's metrics. */
  readonly metrics: Sources;
  /** Applies what a reload may change. The tables have the new catalog already. */
  reload(files: LoadedFiles): void | Promise<void>;
  /**
   * Stops accepting and reading, for another process that does. Resolves then; `ended` resolves when the work that this
   * process has taken is done.
   */
  retire(): Promise<{ readonly ended: Promise<void> }>;
  /** Stops accepting, finishes work in flight within graceMs, and closes. 0: closes at once. */
  close(graceMs: number): Promise<void>;
}
