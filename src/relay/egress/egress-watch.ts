import { type Address, formatAddress, type ProxyUrl, proxyLabel } from '../../net/index.ts';
import { happyEyeballs } from '../happy-eyeballs.ts';
import { EGRESS_OUTCOMES, EgressOutcome } from './egress-outcome.ts';
import { ProxyHealth } from './proxy-health.ts';
import { type Dialer, PROXY_CONNECT_MS } from './proxy-pool.ts';
import { Socks5Handshake } from './socks5.ts';

const FIRST_PROBE_DELAY_MS = 1000;
const LONGEST_PROBE_DELAY_MS = 30_000;
/** Lifetime of a proxy's resolved addresses. */
const ADDRESSES_MS = 60_000;
/** The same for a proxy that is down: it may have moved. */
const LOST_ADDRESSES_MS = 5000;
const MAX_ADDRESSES = 4;
const LOOKUP_MS = 2000;

export interface EgressWatchOptions<T> {
  readonly proxies: readonly ProxyUrl[];
  readonly dialer: Dialer<T>;
  /** System resolver, so that hosts files and private zones can name the operator's proxies. */
  lookup(host: string): Promise<readonly Address[]>;
  /** Closes a probe's connection. */
  discard(connection: T): void;
  /** Clock in ms. */
  now(): number;
  /** A proxy's addresses changed; `addresses` lists those of all proxies, in their order. */
  onLocated(addresses: readonly (readonly string[])[]): void;
  /** A proxy went down or came back. `proxy` is its URL without credentials. */
  onChange(proxy: string, isUp: boolean): void;
}

/** Status of a proxy. */
export interface EgressStatus {
  readonly proxy: string;
  readonly isUp: boolean;
  /** Counts of attempts, by EgressOutcome. */
  readonly outcomes: readonly number[];
}

interface Watched {
  readonly url: ProxyUrl;
  addresses: readonly Address[];
  locatedAtMs: number;
  nextProbeAtMs: number;
  delayMs: number;
  /** Its CONNECTED count when it last came back; a higher count means that it worked since. */
  connectedThen: number;
  /** Last reported state; null before the first report. */
  wasUp: boolean | null;
  isBusy: boolean;
}

/**
 * Watches the proxies for all threads: resolves their names and probes those that are down (connection and
 * credentials). Proxies are taken out by failing traffic, not by probes.
 */
export class EgressWatch<T = unknown> {
  readonly health: ProxyHealth;
  private readonly options: EgressWatchOptions<T>;
  private readonly watched: readonly Watched[];
  private readonly cancels = new Set<() => void>();
  private cancelTick: () => void = () => {};
  private isClosed = false;

  constructor(options: EgressWatchOptions<T>) {
    this.options = options;
    this.health = new ProxyHealth(options.proxies.length);
    this.watched = options.proxies.map((url) => ({
      url,
      addresses: url.address === null ? [] : [url.address],
      locatedAtMs: Number.NEGATIVE_INFINITY,
      nextProbeAtMs: Number.NEGATIVE_INFINITY,
      delayMs: FIRST_PROBE_DELAY_MS,
      connectedThen: 0,
      wasUp: null,
      isBusy: false,
    }));
  }

  /** Starts watching. Resolves when each proxy has been checked once. */
  async start(): Promise<void> {
    await Promise.all(this.watched.map((_, index) => this.check(index)));
    if (this.watched.length > 0 && !this.isClosed) this.tickLater();
  }

  get addresses(): readonly (readonly string[])[] {
    return this.watched.map(({ addresses }) => addresses.map(formatAddress));
  }

  status(): EgressStatus[] {
    return this.watched.map(({ url }, index) => ({
      proxy: proxyLabel(url),
      isUp: this.health.isUp(index),
      outcomes: EGRESS_OUTCOMES.map((_, outcome) => this.health.outcome(index, outcome as EgressOutcome)),
    }));
  }

  close(): void {
    this.isClosed = true;
    this.cancelTick();
    for (const cancel of this.cancels) cancel();
  }

  private tickLater(): void {
    this.cancelTick = this.options.dialer.after(FIRST_PROBE_DELAY_MS, () => {
      for (const index of this.watched.keys()) void this.check(index);
      this.tickLater();
    });
  }

  private async check(index: number): Promise<void> {
    const watched = this.watched[index];
    if (watched.isBusy || this.isClosed) return;
    watched.isBusy = true;
    await this.locate(watched);
    if (!this.isClosed) await this.probeIfDown(watched, index);
    watched.isBusy = false;
  }

  private async locate(watched: Watched): Promise<void> {
    const { now, onLocated } = this.options;
    const { url, addresses, locatedAtMs, wasUp } = watched;
    if (url.address !== null) return;
    const keptMs = wasUp && addresses.length > 0 ? ADDRESSES_MS : LOST_ADDRESSES_MS;
    if (now() - locatedAtMs < keptMs) return;
    // Keep the old addresses if the name no longer resolves.
    const found = await this.lookup(url.host);
    watched.locatedAtMs = now();
    if (found.length === 0 || this.isClosed) return;
    const before = this.addresses.join();
    watched.addresses = found.slice(0, MAX_ADDRESSES);
    if (this.addresses.join() !== before) onLocated(this.addresses);
  }

  /** Resolves a proxy's name; empty on failure or timeout. */
  private lookup(host: string): Promise<readonly Address[]> {
    const { lookup, dialer } = this.options;
    return new Promise((resolve) => {
      const settle = (addresses: readonly Address[]): void => {
        cancelTimeout();
        this.cancels.delete(end);
        resolve(addresses);
      };
      const end = (): void => settle([]);
      const cancelTimeout = dialer.after(LOOKUP_MS, end);
      this.cancels.add(end);
      lookup(host).then(settle, end);
    });
  }

  private async probeIfDown(watched: Watched, index: number): Promise<void> {
    const { health } = this;
    const { now } = this.options;
    if (health.isUp(index)) {
      this.report(watched, true);
      return;
    }
    if (watched.wasUp) {
      const connected = health.outcome(index, EgressOutcome.CONNECTED);
      const wasWell = connected !== watched.connectedThen;
      watched.delayMs = wasWell ? FIRST_PROBE_DELAY_MS : longer(watched.delayMs);
      watched.nextProbeAtMs = now() + watched.delayMs;
      this.report(watched, false);
      return;
    }
    if (now() < watched.nextProbeAtMs) return;
    const isWell = await this.probe(watched);
    if (this.isClosed) return;
    watched.connectedThen = health.outcome(index, EgressOutcome.CONNECTED);
    health.probed(index, isWell);
    this.report(watched, isWell);
    if (!isWell) {
      watched.delayMs = longer(watched.delayMs);
      watched.nextProbeAtMs = now() + watched.delayMs;
    }
  }

  private report(watched: Watched, isUp: boolean): void {
    const before = watched.wasUp;
    watched.wasUp = isUp;
    if (before !== isUp && (before !== null || !isUp)) this.options.onChange(proxyLabel(watched.url), isUp);
  }

  /** Returns true if the proxy accepts a connection and, for SOCKS, the credentials. Asks for no origin. */
  private probe({ url, addresses }: Watched): Promise<boolean> {
    const { dialer, discard } = this.options;
    return new Promise((resolve) => {
      let cancel = (): void => {};
      const settle = (isWell: boolean): void => {
        cancelTimeout();
        this.cancels.delete(end);
        resolve(isWell);
      };
      const end = (): void => {
        cancel();
        settle(false);
      };
      const cancelTimeout = dialer.after(PROXY_CONNECT_MS, end);
      this.cancels.add(end);
      const greet = (connection: T | null): void => {
        if (connection === null) settle(false);
        else if (url.scheme === 'http') {
          discard(connection);
          settle(true);
        } else {
          cancel = dialer.converse(connection, new Socks5Handshake(url.credentials, null), (greeted) => {
            if (greeted !== null) discard(greeted);
            settle(greeted !== null);
          });
        }
      };
      cancel = happyEyeballs<T>(
        addresses,
        (address, done) => dialer.connect(address, url.port, done),
        dialer.after,
        greet,
      );
    });
  }
}

function longer(delayMs: number): number {
  return Math.min(delayMs * 2, LONGEST_PROBE_DELAY_MS);
}
