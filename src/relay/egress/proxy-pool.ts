import { type Address, type ProxyUrl, parseAddress } from '../../net/index.ts';
import { type ConnectTiming, happyEyeballs } from '../happy-eyeballs.ts';
import type { After } from '../timers.ts';
import { EgressOutcome } from './egress-outcome.ts';
import { HttpConnectHandshake } from './http-connect.ts';
import type { Destination, ProxyHandshake } from './proxy-handshake.ts';
import type { ProxyHealth } from './proxy-health.ts';
import { Socks5Handshake } from './socks5.ts';

/** Proxies tried for one address of an origin. */
const MAX_TRIES = 3;
/** Time for a proxy to accept the connection. */
export const PROXY_CONNECT_MS = 3000;
/** Time for a proxy to answer, its connection to the origin included. */
export const PROXY_ANSWER_MS = 5000;
const PROXY_TIMING: ConnectTiming = { attemptDelayMs: 250, timeoutMs: PROXY_CONNECT_MS };
/** A proxied connection takes several round trips, so the next address starts later. */
export const PROXIED_TIMING: ConnectTiming = { attemptDelayMs: 1000, timeoutMs: 10_000 };

/** Engine's way to connect and to talk to a proxy. */
export interface Dialer<T> {
  readonly after: After;
  /** Connects to an address; see Connect. */
  connect(address: Address, port: number, done: (connection: T | null) => void): () => void;
  /**
   * Runs a handshake to its end and closes the connection if it fails or is cancelled.
   * @param done called once with the connection, which then yields the origin's bytes, or with the failure
   */
  converse(
    connection: T,
    handshake: ProxyHandshake,
    done: (result: T | null, outcome: EgressOutcome) => void,
  ): () => void;
}

/** Connects through the proxies; one instance per thread. */
export class ProxyPool {
  private readonly proxies: readonly ProxyUrl[];
  private readonly health: ProxyHealth;
  /** Addresses of each proxy; empty while its name is not resolved. */
  private addresses: readonly (readonly Address[])[] = [];

  constructor(proxies: readonly ProxyUrl[], health: ProxyHealth) {
    this.proxies = proxies;
    this.health = health;
  }

  /** Sets the proxies' addresses, in their order. */
  locate(addresses: readonly (readonly string[])[]): void {
    this.addresses = addresses.map((texts) => texts.map((text) => parseAddress(text)!));
  }

  /**
   * Connects to an origin's address through the next proxy, and through others if that fails. No byte of the
   * client has been sent by then, so a failing proxy loses nothing.
   * @param done called once, synchronously or later, with the connection or null; never after cancellation
   * @returns a function that cancels the attempts
   */
  connect<T>(dialer: Dialer<T>, destination: Destination, done: (connection: T | null) => void): () => void {
    const order = this.health.order().slice(0, MAX_TRIES);
    /** Proxies that blamed the origin. */
    const suspects: number[] = [];
    let cancel = (): void => {};
    let next = 0;
    const tryNext = (): void => {
      if (next === order.length) {
        done(null);
        return;
      }
      const proxy = order[next++];
      const tries = next;
      const cancelTry = this.through(proxy, dialer, destination, (connection, outcome, isProxyToBlame) => {
        this.health.note(proxy, outcome, isProxyToBlame);
        if (connection === null) {
          if (outcome === EgressOutcome.ORIGIN || outcome === EgressOutcome.TIMEOUT) suspects.push(proxy);
          tryNext();
          return;
        }
        for (const other of suspects) this.health.blame(other);
        done(connection);
      });
      // The try may have failed synchronously and the next one begun.
      if (tries === next) cancel = cancelTry;
    };
    tryNext();
    return () => cancel();
  }

  private through<T>(
    proxy: number,
    dialer: Dialer<T>,
    destination: Destination,
    done: (connection: T | null, outcome: EgressOutcome, isProxyToBlame: boolean) => void,
  ): () => void {
    const { scheme, credentials, port } = this.proxies[proxy];
    const handshake =
      scheme === 'socks5'
        ? new Socks5Handshake(credentials, destination)
        : new HttpConnectHandshake(credentials, destination);
    let cancel = (): void => {};
    const converse = (connection: T): void => {
      const cancelTimeout = dialer.after(PROXY_ANSWER_MS, () => {
        cancelConversation();
        done(null, EgressOutcome.TIMEOUT, !handshake.isGreeted);
      });
      const cancelConversation = dialer.converse(connection, handshake, (result, outcome) => {
        cancelTimeout();
        done(result, outcome, true);
      });
      cancel = () => {
        cancelTimeout();
        cancelConversation();
      };
    };
    const cancelConnect = happyEyeballs<T>(
      this.addresses[proxy] ?? [],
      (address, connected) => dialer.connect(address, port, connected),
      dialer.after,
      (connection) => {
        if (connection === null) done(null, EgressOutcome.UNREACHABLE, true);
        else converse(connection);
      },
      PROXY_TIMING,
    );
    return () => {
      cancelConnect();
      cancel();
    };
  }
}
