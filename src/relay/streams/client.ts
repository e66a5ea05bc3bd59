import type { Socket } from 'node:net';
import {
  type Address,
  formatAddress,
  parseAddress,
  peerAddress,
  readProxyHeader,
  type SocketAddress,
} from '../../net/index.ts';
import { type RelayDirection, RelayOutcome } from '../counters.ts';
import { isBrokenOff, type OpenConnection } from '../open-connection.ts';
import { dialOrigin } from '../origin-dial.ts';
import { originHeader } from '../origin-header.ts';
import { returned } from '../own-connection.ts';
import { type ClientSource, sourceOf } from '../source.ts';
import { eventLoopTimers } from '../timers.ts';
import type { StreamContext } from './stream-context.ts';
import { attempt, streamDialer } from './stream-dialer.ts';

/** Consumer of a client's bytes once its source is admitted. */
export type Reader = (chunk: Buffer) => void;

/** Interval for checking whether a source over its byte rate may go on. */
const THROTTLE_MS = 25;
const MAX_HEADER_BYTES = 4200;

/** A connection and the origin address it leads to. */
interface Reached {
  readonly address: Address;
  readonly origin: Socket;
}

/** A client's connection on Node's event loop: admission, authorization, origin, end. */
export class Client implements OpenConnection {
  readonly socket: Socket;
  source: ClientSource;
  activeAtMs: number;
  /** Current origin. */
  origin: Socket | null = null;
  isCarrying = false;
  /** The protocol can carry a probe notice, which is a TLS record. */
  isTls = false;
  /** Consumer of the client's bytes. */
  onData: Reader = () => {};
  private readonly context: StreamContext;
  private sourceHash = -1;
  private serviceSlot = 0;
  /** Counted in the strangers' pool. */
  private isStranger = false;
  /** A PROXY header named the source. */
  private isNamed = false;
  private hasEnded = false;
  /** The client has named an origin and may now half-close. */
  private hasName = false;
  private header: Buffer | null;
  private readonly throttled = new Set<Socket>();
  private cancelHandshake: () => void;
  private cancelConnect: () => void = () => {};

  /** @param fromBalancer a PROXY header comes first and names the source */
  constructor(context: StreamContext, socket: Socket, source: ClientSource, fromBalancer: boolean) {
    this.context = context;
    this.socket = socket;
    this.source = source;
    this.activeAtMs = context.now();
    this.header = fromBalancer ? Buffer.alloc(0) : null;
    const { handshakeMs } = context.relay.policy.limits;
    this.cancelHandshake = eventLoopTimers(handshakeMs, () => this.end(RelayOutcome.TIMEOUT));
    context.opened(this);
    socket.setNoDelay(true);
    socket.on('error', () => this.end(this.isCarrying ? RelayOutcome.RESET : RelayOutcome.ABANDONED));
    socket.on('end', () => {
      if (!this.hasName) this.end(RelayOutcome.ABANDONED);
    });
    socket.once('close', () => {
      // If it carries, both directions have ended: the rest still flows to the origin, whose end then ends
      // the client.
      if (!this.isCarrying) this.end(RelayOutcome.ABANDONED);
    });
    socket.on('data', this.takeData);
    if (fromBalancer) this.enterStrangers();
    else this.admit();
  }

  /** Ends the client and its origin connection, and counts the outcome. */
  end(outcome: RelayOutcome): void {
    if (this.hasEnded) return;
    const { counters, limits } = this.context.relay;
    this.hasEnded = true;
    this.cancelHandshake();
    this.cancelConnect();
    if (this.isCarrying) counters.addOpen(this.serviceSlot, -1);
    if (this.sourceHash >= 0) limits.leave(this.sourceHash);
    this.leaveStrangers();
    // Count before the peers can notice the end.
    counters.ended(this.serviceSlot, outcome);
    const notice =
      this.isTls && this.origin === null ? this.context.relay.noticeFor(this.source, outcome) : null;
    if (notice !== null) this.socket.write(notice);
    for (const socket of [this.socket, this.origin]) {
      if (isBrokenOff(outcome)) socket?.resetAndDestroy();
      else if (notice !== null) socket?.destroySoon();
      else socket?.destroy();
    }
    this.context.ended(this);
  }

  /**
   * Authorizes the name in bytes[start, end).
   * @param prelude all that was read, for own listeners; null: the connection cannot be handed over any more
   * @returns false if rejected; the client has then been ended or handed over
   */
  authorize(bytes: Uint8Array, start: number, end: number, prelude: (() => Buffer) | null): boolean {
    const { relay } = this.context;
    const rejected = relay.authorize(this.source, bytes, start, end, this.isTls, prelude !== null);
    if (rejected === RelayOutcome.OWN) {
      this.handOver(prelude!());
      return false;
    }
    if (rejected !== null) {
      this.end(this.isCarrying && rejected === RelayOutcome.UNREGISTERED ? RelayOutcome.REVOKED : rejected);
      return false;
    }
    // A connection counts for the service that it named first.
    if (!this.isCarrying) this.serviceSlot = relay.serviceSlot;
    this.hasName = true;
    if (this.isStranger) relay.hasNamed(this);
    this.cancelHandshake();
    return true;
  }

  /** Passes the connection to this process's own listeners, and ends here. */
  private handOver(prelude: Buffer): void {
    const { socket, source } = this;
    this.hasEnded = true;
    this.cancelHandshake();
    if (this.sourceHash >= 0) this.context.relay.limits.leave(this.sourceHash);
    this.leaveStrangers();
    this.context.relay.counters.ended(0, RelayOutcome.OWN);
    this.context.ended(this);
    socket.off('data', this.takeData);
    socket.pause();
    const named = this.isNamed ? { address: formatAddress(source.address), port: source.port } : null;
    this.context.takeOwn(this.isTls ? 'tls' : 'http', returned(socket, prelude, named));
  }

  /** Connects to the name that `authorize` just accepted, which is still in the context. */
  connect(port: number, done: (origin: Socket) => void): void {
    const { relay, resolver, now } = this.context;
    const { name } = relay;
    if (relay.fixedAddresses !== null) {
      this.connectTo(relay.fixedAddresses, relay.policy.ownNames.controlPort, done, false);
      return;
    }
    let isWanted = true;
    this.cancelConnect = () => {
      isWanted = false;
    };
    const known = relay.origins.find(name, Math.floor(now() / 1000));
    if (known !== null) {
      this.connectTo(known, port, done);
      return;
    }
    void resolver.resolve(relay.origins.pending(name).wire).then((found) => {
      if (isWanted) this.connectTo(found, port, done);
    });
  }

  /** Counts bytes, and pauses a source that is over its byte rate. */
  carried(direction: RelayDirection, bytes: number, from: Socket): void {
    const { counters, limits } = this.context.relay;
    const nowMs = this.context.now();
    this.activeAtMs = nowMs;
    counters.carried(this.serviceSlot, direction, bytes);
    if (limits.carried(this.sourceHash, bytes, nowMs) > 0) this.throttle(from);
  }

  /** True while reading from `from` is paused by the byte rate. */
  isThrottled(from: Socket): boolean {
    return this.throttled.has(from);
  }

  private throttle(from: Socket): void {
    this.throttled.add(from);
    from.pause();
    eventLoopTimers(THROTTLE_MS, () => {
      if (this.hasEnded || from.destroyed) return;
      if (this.context.relay.limits.carried(this.sourceHash, 0, this.context.now()) > 0) this.throttle(from);
      else {
        this.throttled.delete(from);
        from.resume();
      }
    });
  }

  private readonly takeData = (chunk: Buffer): void => this.handleData(chunk);

  private handleData(chunk: Buffer): void {
    if (this.hasEnded) return;
    if (this.header === null) {
      this.onData(chunk);
      return;
    }
    this.header = Buffer.concat([this.header, chunk]);
    const header = readProxyHeader(this.header, this.header.length);
    if (header.kind === 'partial' && this.header.length < MAX_HEADER_BYTES) return;
    if (header.kind !== 'header') this.end(RelayOutcome.MALFORMED);
    else {
      const rest = this.header.subarray(header.bytes);
      this.header = null;
      // A header without a client is the balancer's own health check: its own address counts.
      if (header.source !== null) {
        this.source = sourceOf(header.source.address, header.source.port);
        this.isNamed = true;
      }
      this.leaveStrangers();
      if (this.admit() && rest.length > 0) this.onData(rest);
    }
  }

  private admit(): boolean {
    const { relay } = this.context;
    const { admission, limits } = relay;
    const sourceHash = limits.hashOf(this.source);
    const isStranger = !admission.isRegistered(this.source);
    const isGuest = isStranger && !admission.isProbe(this.source);
    if (!relay.hears(this.source)) this.end(RelayOutcome.UNREGISTERED);
    // The source's own share first: a source past it makes nobody give way.
    else if (!limits.enter(sourceHash, this.context.now(), isGuest)) this.end(RelayOutcome.LIMITED);
    else {
      this.sourceHash = sourceHash;
      if (isStranger) this.enterStrangers();
    }
    return !this.hasEnded;
  }

  private enterStrangers(): boolean {
    this.isStranger = this.context.relay.enterStrangers(this);
    if (!this.isStranger) this.end(RelayOutcome.LIMITED);
    return this.isStranger;
  }

  private leaveStrangers(): void {
    if (this.isStranger) this.context.relay.leaveStrangers(this);
    this.isStranger = false;
  }

  /** @param isGuarded false for the control API's own addresses */
  private connectTo(
    found: readonly Address[] | null,
    port: number,
    done: (origin: Socket) => void,
    isGuarded = true,
  ): void {
    const { relay } = this.context;
    this.cancelConnect = dialOrigin<Reached>(relay, found, port, {
      after: eventLoopTimers,
      isGuarded,
      connect(address, attempted) {
        const reached = (origin: Socket | null) => attempted(origin && { address, origin });
        if (!isGuarded) return attempt(address, port, [], reached);
        if (relay.proxies === null) return attempt(address, port, relay.localAddresses, reached);
        return relay.proxies.connect(streamDialer, { address, port }, reached);
      },
      won: (reached) => this.join(reached, done),
      lost: (outcome) => this.end(outcome),
    });
  }

  private join({ address, origin }: Reached, done: (origin: Socket) => void): void {
    const header = originHeader(this.context.relay, address, this.source, () => localEndpoint(this.socket));
    if (header.length > 0) origin.write(header);
    this.origin = origin;
    if (!this.isCarrying) {
      this.isCarrying = true;
      this.context.relay.counters.addOpen(this.serviceSlot, 1);
    }
    done(origin);
    // After a proxy handshake the socket is paused until its listeners are attached.
    origin.resume();
  }
}

/** Local address of a connection. */
function localEndpoint({ localAddress = '', localPort = 0 }: Socket): SocketAddress {
  const address = peerAddress(localAddress);
  // A socket that has just closed no longer knows it.
  return { address: address ?? parseAddress('0.0.0.0')!, port: localPort };
}
