import { randomBytes, randomInt } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { LastKnownAllowlist } from '../../allowlist/index.ts';
import type { LoadedConfig } from '../../config/index.ts';
import type { OwnHost } from '../../control/index.ts';
import { CounterBlock } from '../../metrics/index.ts';
import type { Registry } from '../../registry/index.ts';
import { monotonicClock } from '../../sys/index.ts';
import { errorCode } from '../error-code.ts';
import { buildFrom, bundleStoreOf } from '../load-catalog.ts';
import { policyOf, querySettingsOf } from '../policy.ts';
import { checkDirectory } from '../private-text.ts';
import { openHostCertificate } from './acme/index.ts';
import { type OperatorKeys, readOperatorKeys } from './admin-key.ts';
import { changedKeys } from './changed-keys.ts';
import { planDescriptors } from './descriptors.ts';
import { loadFiles } from './files.ts';
import type { ListeningSockets } from './listening-sockets.ts';
import type { Log } from './log.ts';
import { announce } from './observe/announcement.ts';
import { HostReports } from './observe/host-reports.ts';
import { LeaseExpiry } from './observe/lease-expiry.ts';
import { Metrics } from './observe/metrics.ts';
import { logStoreEvents } from './observe/store-events.ts';
import { runAccountCommand } from './operator/accounts.ts';
import { runOperatorCommand } from './operator/commands.ts';
import { explainWith } from './operator/explainer.ts';
import { type OperatorRequest, OperatorSocket } from './operator/socket.ts';
import { OwnAddresses, reportedAddresses } from './own-addresses.ts';
import { servesOwnNames } from './own-names.ts';
import { readPrivateNameKey } from './private-name-key.ts';
import { Followers } from './replace/followers.ts';
import { Replacement } from './replace/replacement.ts';
import { positionOf, type SharedState } from './replace/shared-state.ts';
import { StatePeer } from './replace/state-peer.ts';
import { type EndReason, Successor } from './replace/successor.ts';
import type { Takeover } from './replace/takeover.ts';
import { ControlRole } from './roles/control.ts';
import { EdgeRole } from './roles/edge.ts';
import type { RelayRole } from './roles/relay.ts';
import type { LoadedFiles, Role, RoleContext } from './roles/role.ts';
import { BundleRefresh } from './tables/bundle-refresh.ts';
import { NOTHING_KNOWN } from './tables/relay-status.ts';
import { RemoteAllowlist } from './tables/remote-allowlist.ts';
import { Tables } from './tables/tables.ts';

/** Time for work in flight once the process has been told to stop. */
const GRACE_MS = 10_000;
/** The same for a process that could not take over: the other one has the next queries. */
const NOT_TAKEN_OVER_GRACE_MS = 2_000;
/** Interval of trying to open the store again that a process which could not take over has had. */
const REOPEN_MS = 100;

export interface ServiceOptions {
  /** The configuration, with the addresses of inherited sockets. */
  readonly loaded: LoadedConfig;
  readonly sockets: ListeningSockets;
  /** Null: no process is replaced. */
  readonly takeover: Takeover | null;
  readonly log: Log;
  readonly version: string;
  /** True if a person reads the output. */
  readonly terminal: boolean;
  write(text: string): void;
  /** Ends the process: a part that it cannot serve without has ended. */
  onFailure(error: Error): void;
}

/** One process: the roles of its configuration over their shared state. */
export class Service {
  private readonly options: ServiceOptions;
  private readonly log: Log;
  private readonly context: RoleContext;
  private readonly blocks: CounterBlock[];
  private files!: LoadedFiles;
  private reports: HostReports | null = null;
  private registry: Registry | null = null;
  private leases: LeaseExpiry | null = null;
  private remote: RemoteAllowlist | null = null;
  private tables: Tables | null = null;
  /** Null without the control role. */
  private operatorKeys: OperatorKeys | null = null;
  private edge: EdgeRole | null = null;
  private relay: RelayRole | null = null;
  private control: ControlRole | null = null;
  private ownHost: OwnHost | null = null;
  private hostCertificate: ReturnType<typeof openHostCertificate> = null;
  private metrics: Metrics | null = null;
  private bundles: BundleRefresh | null = null;
  private operatorSocket: OperatorSocket | null = null;
  private readonly followers: Followers;
  private readonly replacement: Replacement;
  /** The process that has taken over from this one. */
  private successor: Successor | null = null;
  private readonly retiring = Promise.withResolvers<EndReason | 'done'>();
  private reloading: Promise<unknown> = Promise.resolve();
  private lastReload = { isGood: true, atMs: Date.now() };
  private stopping = false;

  private constructor(options: ServiceOptions) {
    const { loaded, log, version, onFailure } = options;
    const counters = new CounterBlock();
    const { available, needed, forwardsInThreads, config } = planDescriptors(loaded.config);
    if (available !== null && needed > available) {
      const message =
        'the limit of open files is below what the limits add up to: connections are limited to fit';
      log.warn({ nofile: available, needed }, message);
    }
    this.options = options;
    this.log = log;
    this.blocks = [counters];
    this.context = {
      config,
      seed: randomInt(0x1_0000_0000) | 0,
      version,
      forwardsInThreads,
      log,
      counters,
      listeners: (name) => options.sockets.listeners(config, name),
      files: () => this.files,
      addCounters: (block) => this.blocks.push(block),
      onFailure,
    };
    this.followers = new Followers(() => this.sharedState, log);
    this.replacement = this.makeReplacement();
  }

  /** Resolves after another process has taken over, when this one has nothing more to do or has to end. */
  get retired(): Promise<EndReason | 'done'> {
    return this.retiring.promise;
  }

  /** True from the moment on that another process serves. */
  get isRetired(): boolean {
    return this.successor !== null;
  }

  /** Starts all roles. @throws errors with a code and a one-line message; whatever was opened is closed again */
  static async start(options: ServiceOptions): Promise<Service> {
    const service = new Service(options);
    try {
      await service.open();
      return service;
    } catch (error) {
      await service.stop(options.takeover === null ? 0 : NOT_TAKEN_OVER_GRACE_MS);
      options.takeover?.close();
      throw error;
    }
  }

  /**
   * Re-reads configuration, catalog and certificate, after the reloads before it. On an error logs it and keeps the old ones.
   * @returns the error's message; null: all was taken
   */
  reload(load: () => LoadedConfig): Promise<string | null> {
    const reloading = this.reloading.then(() => this.reloadNow(load));
    this.reloading = reloading;
    return reloading;
  }

  /**
   * Answers /readyz with 503, and everything else as before, for dns.lameDuckSeconds: routes to this edge move before it
   * stops.
   * @param isUrgent ends the wait
   */
  async leave(isUrgent: Promise<unknown>): Promise<void> {
    const seconds = this.context.config.dns.lameDuckSeconds;
    if (this.edge === null || seconds === 0) return;
    this.edge.leave();
    this.log.info({ seconds }, 'not ready any more, and answering for dns.lameDuckSeconds');
    const timeout = new AbortController();
    await Promise.race([delay(seconds * 1000, undefined, { signal: timeout.signal }), isUrgent]);
    timeout.abort();
  }

  /** Stops accepting, finishes work in flight within graceMs, and closes everything. */
  async stop(graceMs = GRACE_MS): Promise<void> {
    if (this.stopping) return;
    this.stopping = true;
    this.operatorSocket?.close();
    this.followers.end();
    this.successor?.close();
    this.stopChores();
    await this.reloading;
    // All stop accepting at once: an edge that answers with a relay that is gone serves nobody.
    await Promise.all([this.relay, this.control, this.edge].map((role) => role?.close(graceMs)));
    // Tunnels are checked against the allowlist as long as they last.
    await this.tables?.close();
    await this.remote?.close();
    await this.registry?.close();
    await this.metrics?.close();
  }

  private get roles(): Role[] {
    return [this.edge, this.relay, this.control].filter((role) => role !== null);
  }

  /** Work that one process of a host does. */
  private stopChores(): void {
    this.leases?.stop();
    void this.hostCertificate?.keeper.close();
    this.bundles?.close();
    this.reports?.close();
  }

  private async open(): Promise<void> {
    const { config, log, seed, counters } = this.context;
    const has = (role: (typeof config.roles)[number]) => config.roles.includes(role);
    this.files = await loadFiles(this.options.loaded, seed, null);
    this.logWarnings();
    checkDirectory(config.dataDir);
    this.openCertificate();
    if (config.store !== 'embedded') this.reports = await this.openReports(config.store);
    if (has('control') || config.store === 'embedded') {
      this.registry = await this.openRegistry();
      const clocks = { now: monotonicClock(), wallClock: Date.now };
      // While the registry is another process's, that one expires leases.
      const { registry } = this;
      this.leases =
        this.options.takeover === null
          ? await LeaseExpiry.start(registry, log, clocks)
          : new LeaseExpiry(registry, log, clocks);
    }
    if (has('control')) this.operatorKeys = readOperatorKeys(config);
    if (has('edge') || has('relay')) this.tables = await this.openTables();
    const policy = policyOf(config, seed);
    if (has('edge')) this.edge = await EdgeRole.start(this.tables!, policy, this.context, this.registry);
    if (has('relay')) {
      // Imported lazily: processes without this role don't load it.
      const { RelayRole } = await import('./roles/relay.ts');
      this.relay = await RelayRole.start(this.tables!, this.context, (protocol, socket) =>
        this.ownHost === null ? socket.destroy() : this.ownHost.take(protocol, socket),
      );
    }
    if (has('control')) {
      const adminKeys = () => this.operatorKeys!.digests;
      this.control = await ControlRole.start(this.tables, this.registry!, adminKeys, this.context);
      if (servesOwnNames(config)) this.ownHost = this.openOwnHost(this.control);
    }
    const { roles, blocks, registry, tables, leases } = this;
    const adminKey = this.operatorKeys?.adminKey ?? null;
    const clock = leases?.clock ?? null;
    this.bundles = this.openBundles();
    const { hostCertificate, bundles } = this;
    const acme = hostCertificate === null ? null : () => hostCertificate.keeper.state;
    const sources = { clock, acme, registry, bundles, tables, roles };
    this.metrics = await Metrics.open({
      version: this.context.version,
      log,
      files: this.context.files,
      reload: () => this.lastReload,
      listeners: this.context.listeners('metrics'),
      ...sources,
      blocks,
      counters,
    });
    await this.takeOver();
    await this.openOperatorSocket(policy);
    const { terminal, write } = this.options;
    announce({ config, log, roles, metrics: this.metrics.urls, adminKey, terminal, write });
    void this.metrics.load();
    this.hostCertificate?.keeper.start();
    this.bundles?.start();
  }

  /** The certificate that an ACME CA gives, from its file; a new one is taken as by a reload. */
  private openCertificate(): void {
    const { config, log } = this.context;
    this.hostCertificate = openHostCertificate({
      config,
      log,
      publish: async (records) => this.edge?.publishChallenges(records),
      onCertificate: () => {
        this.files = this.withCertificate(this.files);
        for (const role of this.roles) void role.reload(this.files);
      },
    });
    this.files = this.withCertificate(this.files);
  }

  private withCertificate(files: LoadedFiles): LoadedFiles {
    const { hostCertificate } = this;
    return hostCertificate === null ? files : { ...files, certificate: hostCertificate.keeper.certificate };
  }

  /** Takes the store and the rest of the work over from the process that is replaced. */
  private async takeOver(): Promise<void> {
    const { takeover } = this.options;
    this.options.sockets.closeUnused();
    if (takeover === null) return;
    const { pid, version, draining } = takeover.reply;
    const moves = this.borrowsStore ? this.registry!.moves : null;
    await moves?.hold();
    await takeover.release();
    await moves?.reopen();
    this.edge?.setDraining(draining.edge);
    if (draining.relay) await this.relay?.setDraining(true);
    try {
      await takeover.retire();
    } catch {
      // It has released everything, so this process goes on.
      this.log.warn({ pid }, 'the process that is replaced ended early');
    }
    moves?.resume();
    this.edge?.renewShield();
    takeover.close();
    this.log.info({ pid, version }, 'took over from the running process, which finishes what it has');
  }

  /** True if the embedded store is used through the process that is replaced, until that releases it. */
  private get borrowsStore(): boolean {
    const { config } = this.context;
    return config.store === 'embedded' && this.options.takeover?.reply.hasEmbeddedStore === true;
  }

  private get sharedState(): SharedState {
    const { registry, remote, tables } = this;
    return {
      registry,
      feed: remote?.feed ?? registry?.feed ?? null,
      follower: tables?.follower ?? null,
    };
  }

  /** Why no process can take over from this one now; null: one can. */
  private get obstacle(): string | null {
    if (this.stopping || this.isRetired)
      return 'the running process is stopping: start again without --replace';
    const { config } = this.context;
    if (config.roles.includes('edge') && config.dns.engine === 'af-xdp')
      return 'dns.engine af-xdp cannot be handed over, because the network card knows one reader: restart instead';
    return null;
  }

  private makeReplacement(): Replacement {
    const self = this;
    return new Replacement({
      version: this.context.version,
      log: this.log,
      get obstacle() {
        return self.obstacle;
      },
      get sockets() {
        return self.options.sockets.all;
      },
      hasEmbeddedStore: this.context.config.store === 'embedded',
      get state() {
        return self.sharedState;
      },
      get draining() {
        return { edge: self.edge?.isDraining ?? false, relay: self.relay?.isDraining ?? false };
      },
      release: async () => void (await this.registry?.moves?.release()),
      resume: () => this.resumeAfterReplacement(),
      retire: () => this.retire(),
    });
  }

  /** Opens the store again; the process that failed to take over may hold its lock a little longer. */
  private async resumeAfterReplacement(): Promise<void> {
    this.edge?.renewShield();
    const moves = this.registry?.moves;
    if (moves === undefined || moves === null) return;
    for (let isFirst = true; !this.stopping; isFirst = false) {
      try {
        await moves.reopen();
        moves.resume();
        return;
      } catch (error) {
        const code = errorCode(error);
        if (isFirst)
          this.log.error({ code }, 'the store cannot be opened again yet: API calls wait, then fail');
        await delay(REOPEN_MS);
      }
    }
  }

  /** Stops reading and accepting; resolves then. What this process has is finished after that. */
  private async retire(): Promise<void> {
    const { config, log } = this.context;
    const peer = new StatePeer(positionOf(this.sharedState) ?? { epoch: '', seq: 0 });
    this.operatorSocket?.close({ keepsPath: true });
    this.successor = new Successor({
      dataDir: config.dataDir,
      peer,
      log,
      onEnd: (reason) => this.retiring.resolve(reason),
    });
    this.followers.close();
    this.stopChores();
    await this.remote?.stopKeeping();
    const roles = await Promise.all(this.roles.map((role) => role.retire()));
    this.registry?.moves?.follow(peer);
    void this.metrics?.close();
    log.info({}, 'another process serves: this one finishes what it has');
    void this.finishRetired(roles);
  }

  private async finishRetired(roles: readonly { ended: Promise<void> }[]): Promise<void> {
    await Promise.all(roles.map(({ ended }) => ended));
    this.retiring.resolve('done');
  }

  private openOwnHost(control: ControlRole): OwnHost {
    const doh = this.edge?.openDoh() ?? null;
    const serveDns = doh === null ? null : doh.serve.bind(doh);
    return control.openOwnHost(
      { serveDns, challenge: (token) => this.hostCertificate?.challenges.answer(token) ?? null },
      this.files.certificate,
    );
  }

  private openReports(url: string): Promise<HostReports> {
    const { config, log } = this.context;
    return HostReports.open({
      url,
      log,
      own: () => ({ roles: config.roles, addresses: reportedAddresses(config) }),
      readsOthers: config.roles.includes('control'),
    });
  }

  private async openRegistry(): Promise<Registry> {
    // Imported lazily: an edge that follows Redis doesn't load it.
    const { openRegistry } = await import('../../registry/index.ts');
    const { config, log, onFailure, files } = this.context;
    const own = new OwnAddresses(
      () => files().loaded.config,
      () => this.reports?.addresses ?? [],
      monotonicClock(),
    );
    return openRegistry({
      store: config.store,
      dataDir: config.dataDir,
      waitReplicas: config.redis.waitReplicas,
      ...config.registration,
      lapsedDays: config.retention.lapsedDays,
      defaultRegion: () => files().loaded.config.defaultRegion,
      regions: () => Object.keys(files().loaded.config.regions),
      isOwn: (prefix) => own.overlaps(prefix),
      now: Date.now,
      randomBytes,
      onFailed: onFailure,
      events: logStoreEvents(log),
      privateNameKey:
        config.privateNames.domain === null
          ? null
          : readPrivateNameKey(config.privateNames.key, config.dataDir),
      ...(this.borrowsStore && { peer: this.options.takeover!.peer }),
      readYourWrites: async (from, to) => (await this.tables?.readYourWrites?.reached(from, to)) ?? true,
    });
  }

  private async openTables(): Promise<Tables> {
    const { config, log, seed, onFailure } = this.context;
    const { store: url, dataDir } = config;
    if (url !== 'embedded') {
      this.remote = await RemoteAllowlist.open({
        url,
        dataDir,
        log,
        now: monotonicClock(),
        wallClock: Date.now,
        predecessor: await this.predecessorsAllowlist(),
      });
    }
    const { remote } = this;
    const feed = remote?.feed ?? this.registry!.feed;
    return Tables.open({ config, catalog: this.files.catalog, seed, feed, remote, log, onFailure });
  }

  /** Null: none is replaced, or it has no allowlist yet. */
  private async predecessorsAllowlist(): Promise<LastKnownAllowlist | null> {
    const { takeover } = this.options;
    if (takeover === null || takeover.reply.position === null) return null;
    return { snapshot: await takeover.snapshot(), madeAtMs: Date.now() };
  }

  private async openOperatorSocket(policy: ReturnType<typeof policyOf>): Promise<void> {
    const { config, log, files } = this.context;
    const { edge, relay, control, registry, tables } = this;
    const answer = (request: OperatorRequest) =>
      runOperatorCommand(request, {
        tables,
        edge,
        relay,
        certificate: this.hostCertificate === null ? null : () => this.hostCertificate!.keeper.state,
        accounts:
          control === null
            ? null
            : (call) => runAccountCommand(call, { registry: registry!, publicUrl: config.control.publicUrl }),
        explain: (question) => {
          const { allowlist: table, profiles, steering, catalog, cache, relayWatch, now } = tables!;
          const relays = relayWatch ?? NOTHING_KNOWN;
          const { policy: changed, rateLimit } = querySettingsOf(files().loaded.config, config);
          const current = { ...policy, ...changed, discovery: edge?.discovery ?? [] };
          const { catalogVersion } = files();
          const parts = { table, profiles, steering, catalog, catalogVersion, cache, rateLimit, relays };
          return explainWith({ ...parts, policy: current }, question, now());
        },
        reloadCatalog: () => this.reloadCatalog(),
      });
    this.operatorSocket = await OperatorSocket.open(config.dataDir, {
      answer,
      link: (request, socket, rest) =>
        request.command === 'replace'
          ? this.replacement.begin(request, socket, rest)
          : this.followers.add(request, socket, rest),
    });
    if (this.operatorSocket === null) {
      log.warn(
        {},
        'no operator socket in dataDir: the commands account, explain and relay cannot reach this process',
      );
    }
  }

  private logWarnings(): void {
    for (const warning of this.files.warnings) this.log.warn({ warning }, 'configuration');
    for (const note of this.files.notes) this.log.info({ note }, 'configuration');
  }

  /** Reads the catalog and the certificate again, not the configuration. @returns as `reload` */
  private reloadCatalog(): Promise<string | null> {
    return this.reload(() => this.files.loaded);
  }

  private openBundles(): BundleRefresh | null {
    const { config, log, seed } = this.context;
    const store = bundleStoreOf(config);
    const { url, refreshSeconds } = config.catalog.bundle;
    if (store === null || url === null) return null;
    return new BundleRefresh({
      store,
      url,
      refreshSeconds,
      waitsForRelays: config.roles.includes('edge') && !config.roles.includes('relay'),
      log,
      now: monotonicClock(),
      random: Math.random,
      served: () => this.files.bundleVersion,
      check: (files) => void buildFrom(files, this.files.loaded, seed),
      apply: async () => void (await this.reloadCatalog()),
    });
  }

  private async reloadNow(load: () => LoadedConfig): Promise<string | null> {
    const { log } = this;
    try {
      const loaded = load();
      const files = this.withCertificate(await loadFiles(loaded, this.context.seed, this.files));
      const operatorKeys = this.operatorKeys === null ? null : readOperatorKeys(loaded.config);
      const before = this.files.loaded.config;
      const needRestart = changedKeys(before, loaded.config);
      this.files = files;
      this.operatorKeys = operatorKeys;
      log.level = loaded.config.log.level;
      if (loaded.config.store !== before.store) await this.useRedisPasswords(loaded.config.store);
      await this.tables?.useConfig(loaded.config);
      await this.tables?.useCatalog(files.catalog, loaded.config.health);
      for (const role of this.roles) await role.reload(files);
      this.logWarnings();
      if (needRestart.length > 0)
        log.warn({ keys: needRestart }, 'changed, and taken at the next start only');
      this.lastReload = { isGood: true, atMs: Date.now() };
      log.info({ services: files.catalog.services.length }, 'configuration and catalog read again');
      return null;
    } catch (error) {
      const { code, message } = error as { code?: string; message: string };
      if (code === undefined) throw error;
      this.lastReload = { ...this.lastReload, isGood: false };
      const errors = message.split('\n');
      log.error({ code, errors }, 'not reloaded: the old configuration and catalog stay');
      return message;
    }
  }

  private async useRedisPasswords(url: string): Promise<void> {
    // Imported lazily: processes with the embedded store don't load the Redis client.
    const { useRedisPasswords } = await import('../../registry/store/redis/follow/index.ts');
    const code = await useRedisPasswords(url);
    if (code !== null)
      this.log.warn({ code }, 'Redis rejected the new password: open connections go on with the old one');
  }
}
