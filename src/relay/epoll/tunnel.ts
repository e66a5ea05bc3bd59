import { ClientHelloReader, HelloState, MAX_PRELUDE_BYTES } from '../../net/hello/index.ts';
import {
  type Address,
  addressFromBytes,
  formatAddress,
  readProxyHeader,
  type SocketAddress,
} from '../../net/index.ts';
import { localName, type Memory, resetOnClose, sendAtOnce } from '../../sys/index.ts';
import { RelayDirection, RelayOutcome } from '../counters.ts';
import { isBrokenOff } from '../open-connection.ts';
import { dialOrigin } from '../origin-dial.ts';
import { originHeader } from '../origin-header.ts';
import { TLS_PORT } from '../policy.ts';
import { type ClientSource, sourceOf } from '../source.ts';
import { Direction, FULL_QUOTA, LIMITED_QUOTA, Pumped } from './direction.ts';
import { attempt, type Connected } from './epoll-connect.ts';
import type { OpenTunnel } from './open-tunnels.ts';
import { type Handler, READ_EVENTS } from './reactor.ts';
import { Side, type SideOwner } from './side.ts';
import type { ThreadContext } from './thread-context.ts';

const State = { HEADER: 0, HELLO: 1, CONNECTING: 2, CARRYING: 3, CLOSED: 4 } as const;
type State = (typeof State)[keyof typeof State];

const MS_PER_SECOND = 1000;
/** The descriptor has been handed over. */
const CLOSED_FD = -1;
/** Interval for checking whether a source over its byte rate may go on. */
const THROTTLE_MS = 25;

/** Reader of hellos that arrive in one piece, as nearly all do; used within one call. */
const HELLO_IN_ONE_PIECE = new ClientHelloReader();

/** A connection and the origin address it leads to. */
interface Reached {
  readonly address: Address;
  readonly connected: Connected;
}

/** A client's connection, from its first byte to its end, and the origin's connection. */
export class Tunnel implements Handler, SideOwner, OpenTunnel {
  source: ClientSource;
  /** Time of the last byte in either direction. */
  activeAtMs: number;
  index = -1;
  private readonly context: ThreadContext;
  private readonly client: Side;
  private origin: Side | null = null;
  private upload: Direction | null = null;
  private download: Direction | null = null;
  private state: State;
  private sourceHash = -1;
  private serviceSlot = 0;
  private prelude: Memory | null = null;
  private preludeLength = 0;
  /** Reader of a hello that did not arrive in one piece. */
  private hello: ClientHelloReader | null = null;
  /** Cancels what the tunnel waits for: the resolver, connection attempts, or the throttle. */
  private cancelWait: (() => void) | null = null;
  /** End of the handshake time. */
  private readonly deadlineMs: number;
  /** Counted in the strangers' pool. */
  private isStranger = false;
  /** A PROXY header named the source. */
  private isNamed = false;
  private isQueued = false;
  private isThrottled = false;

  /** @param fromBalancer a PROXY header comes first and names the source */
  constructor(context: ThreadContext, fd: number, source: ClientSource, fromBalancer: boolean) {
    this.context = context;
    this.source = source;
    this.activeAtMs = context.reactor.nowMs;
    this.state = fromBalancer ? State.HEADER : State.HELLO;
    this.deadlineMs = this.activeAtMs + context.relay.policy.limits.handshakeMs;
    this.client = new Side(fd, this, false);
    this.client.slot = context.reactor.add(fd, READ_EVENTS, this.client);
    context.tunnels.add(this);
  }

  /** Admits the source; one that a PROXY header is to name is a stranger until then. */
  start(): void {
    if (this.state === State.HELLO) this.admit();
    else this.enterStrangers();
  }

  get isCarrying(): boolean {
    return this.state === State.CARRYING;
  }

  ready(): void {
    this.isQueued = false;
    this.run();
  }

  /** Ends the tunnel at once. */
  end(outcome: RelayOutcome): void {
    if (this.state === State.CLOSED) return;
    const { slabs, tunnels } = this.context;
    const { limits, counters } = this.context.relay;
    this.cancelWait?.();
    if (this.isCarrying) {
      this.count();
      counters.addOpen(this.serviceSlot, -1);
    }
    this.state = State.CLOSED;
    if (this.sourceHash >= 0) limits.leave(this.sourceHash);
    this.leaveStrangers();
    // Count before the peers can notice the end.
    counters.ended(this.serviceSlot, outcome);
    this.givePrelude();
    this.upload?.drop(this.context);
    this.download?.drop(this.context);
    const notice = this.origin === null ? this.context.relay.noticeFor(this.source, outcome) : null;
    if (notice !== null) {
      slabs.current.bytes.set(notice);
      this.context.transfer.send(this.client.fd, slabs.current.address, notice.length);
    }
    this.close(this.client, outcome);
    if (this.origin !== null) this.close(this.origin, outcome);
    tunnels.remove(this);
  }

  sweep(nowMs: number): void {
    const { admission, policy } = this.context.relay;
    if (this.state < State.CONNECTING) {
      if (nowMs >= this.deadlineMs) this.end(RelayOutcome.TIMEOUT);
    } else if (this.state === State.CARRYING) {
      if (!admission.admits(this.source)) this.end(RelayOutcome.REVOKED);
      else if (this.activeAtMs < nowMs - policy.limits.idleMs) this.end(RelayOutcome.IDLE);
    }
  }

  private close({ fd, slot }: Side, outcome: RelayOutcome): void {
    if (fd === CLOSED_FD) return;
    if (isBrokenOff(outcome)) resetOnClose(fd);
    this.context.reactor.close(fd, slot);
  }

  run(): void {
    if (this.state === State.CARRYING) this.carry();
    else if (this.state === State.CONNECTING) {
      if (this.client.gone) this.end(RelayOutcome.ABANDONED);
    } else if (this.state !== State.CLOSED) this.readPrelude();
  }

  private admit(): boolean {
    const { relay } = this.context;
    const { admission, limits } = relay;
    if (!relay.hears(this.source)) {
      this.end(RelayOutcome.UNREGISTERED);
      return false;
    }
    const sourceHash = limits.hashOf(this.source);
    const isStranger = !admission.isRegistered(this.source);
    const isGuest = isStranger && !admission.isProbe(this.source);
    // The source's own share first: a source past it makes nobody give way.
    if (!limits.enter(sourceHash, this.context.reactor.nowMs, isGuest)) {
      this.end(RelayOutcome.LIMITED);
      return false;
    }
    this.sourceHash = sourceHash;
    return !isStranger || this.enterStrangers();
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

  private readPrelude(): void {
    const { transfer } = this.context;
    while (this.client.readable && this.state <= State.HELLO) {
      const prelude = this.roomyPrelude();
      const room = Math.min(prelude.bytes.length, MAX_PRELUDE_BYTES) - this.preludeLength;
      const count = transfer.receive(this.client.fd, prelude.address + this.preludeLength, room);
      if (count < 0) {
        this.client.readable = false;
        if (this.client.gone) this.end(RelayOutcome.ABANDONED);
        return;
      }
      if (count === 0) {
        this.end(RelayOutcome.ABANDONED);
        return;
      }
      if (count < room && !this.client.ending) this.client.readable = false;
      this.preludeLength += count;
      this.parsePrelude(prelude);
    }
  }

  /** Returns the prelude's memory, with room for more. */
  private roomyPrelude(): Memory {
    const { preludes } = this.context;
    const { prelude, preludeLength } = this;
    if (prelude !== null && preludeLength < prelude.bytes.length) return prelude;
    const roomy = prelude === null ? preludes.take() : preludes.take(prelude.bytes.length * 2);
    if (prelude !== null) {
      roomy.bytes.set(prelude.bytes);
      preludes.give(prelude);
    }
    this.prelude = roomy;
    return roomy;
  }

  private parsePrelude(prelude: Memory): void {
    if (this.state === State.HEADER && !this.readHeader(prelude)) return;
    if (this.preludeLength === 0) return;
    const hello = this.hello ?? HELLO_IN_ONE_PIECE.reset();
    const state = hello.read(prelude.bytes, this.preludeLength);
    if (state === HelloState.PARTIAL) {
      if (this.hello !== null) return;
      this.hello = new ClientHelloReader();
      this.hello.read(prelude.bytes, this.preludeLength);
    } else if (state === HelloState.NAMED) this.authorize(hello);
    else this.end(state === HelloState.UNNAMED ? RelayOutcome.UNNAMED : RelayOutcome.MALFORMED);
  }

  /** @returns true if the header is complete and its source admitted */
  private readHeader({ bytes }: Memory): boolean {
    const header = readProxyHeader(bytes, this.preludeLength);
    if (header.kind === 'partial') return false;
    if (header.kind === 'malformed') {
      this.end(RelayOutcome.MALFORMED);
      return false;
    }
    // A header without a client is the balancer's own health check: its own address counts.
    if (header.source !== null) {
      this.source = sourceOf(header.source.address, header.source.port);
      this.isNamed = true;
    }
    bytes.copyWithin(0, header.bytes, this.preludeLength);
    this.preludeLength -= header.bytes;
    this.state = State.HELLO;
    this.leaveStrangers();
    return this.admit();
  }

  private authorize(hello: ClientHelloReader): void {
    const { relay } = this.context;
    const { name, origins } = relay;
    const { bytes, name: at } = hello;
    this.hello = null;
    const rejected = relay.authorize(this.source, bytes, at.start, at.end, true, true);
    if (rejected !== null) {
      if (rejected === RelayOutcome.OWN) this.handOver();
      else this.end(rejected);
      return;
    }
    this.serviceSlot = relay.serviceSlot;
    this.state = State.CONNECTING;
    if (this.isStranger) relay.hasNamed(this);
    const { reactor, resolve } = this.context;
    if (relay.fixedAddresses !== null) {
      this.connect(relay.fixedAddresses, false);
      return;
    }
    const known = origins.find(name, Math.floor(reactor.nowMs / MS_PER_SECOND));
    if (known !== null) this.connect(known);
    else {
      const pending = origins.pending(name);
      this.cancelWait = resolve(pending.wire, (addresses) => {
        origins.resolved(pending, addresses, Math.floor(reactor.nowMs / MS_PER_SECOND));
        this.connect(addresses);
      });
    }
  }

  /** Passes the connection on with all that was read, and ends here. */
  private handOver(): void {
    const { context, client, source } = this;
    const prelude = Uint8Array.from(this.prelude!.bytes.subarray(0, this.preludeLength));
    const named = this.isNamed ? { address: formatAddress(source.address), port: source.port } : null;
    context.reactor.release(client.fd, client.slot);
    context.handOver({ fd: client.fd, prelude, client: named });
    client.fd = CLOSED_FD;
    this.end(RelayOutcome.OWN);
  }

  /** @param isGuarded false for the control API's own addresses */
  private connect(found: readonly Address[] | null, isGuarded = true): void {
    const { reactor, relay, dialer } = this.context;
    const { policy, localAddresses } = relay;
    const port = isGuarded ? (policy.originPort ?? TLS_PORT) : policy.ownNames.controlPort;
    this.cancelWait = dialOrigin<Reached>(relay, found, port, {
      after: reactor.timers.after,
      isGuarded,
      connect(address, done) {
        const reached = (connected: Connected | null) => done(connected && { address, connected });
        if (!isGuarded) return attempt(reactor, address, port, [], reached);
        if (relay.proxies === null) return attempt(reactor, address, port, localAddresses, reached);
        return relay.proxies.connect(dialer, { address, port }, reached);
      },
      won: (reached) => this.join(reached),
      lost: (outcome) => this.end(outcome),
    });
  }

  /** Connects both sides: the origin gets the client's bytes unchanged. */
  private join({ address, connected }: Reached): void {
    const { fd, slot, events, early } = connected;
    const { reactor, relay } = this.context;
    const origin = new Side(fd, this, true);
    origin.slot = slot;
    origin.note(events);
    origin.writable = true;
    sendAtOnce(fd);
    reactor.replace(slot, origin);
    this.cancelWait = null;
    this.origin = origin;
    this.upload = new Direction(this.client, origin);
    this.download = new Direction(origin, this.client);
    this.state = State.CARRYING;
    relay.counters.addOpen(this.serviceSlot, 1);
    const header = originHeader(relay, address, this.source, () => localEndpoint(this.client.fd));
    const begun = this.replay(header);
    const answered = early.length === 0 ? begun : this.beginDownload(early);
    if (begun === Pumped.FAILED || answered === Pumped.FAILED) this.end(RelayOutcome.RESET);
    else this.carry();
  }

  /** Sends the header, if any, and the prelude to the origin. */
  private replay(header: Uint8Array): Pumped {
    const { context, upload } = this;
    const prelude = this.prelude!;
    if (header.length === 0) {
      const begun = upload!.begin(prelude, this.preludeLength, context);
      this.givePrelude();
      return begun;
    }
    const { current } = context.slabs;
    current.bytes.set(header);
    current.bytes.set(prelude.bytes.subarray(0, this.preludeLength), header.length);
    this.givePrelude();
    return upload!.begin(current, header.length + this.preludeLength, context);
  }

  private beginDownload(early: Uint8Array): Pumped {
    const { current } = this.context.slabs;
    current.bytes.set(early);
    return this.download!.begin(current, early.length, this.context);
  }

  private carry(): void {
    const { reactor, relay } = this.context;
    if (this.isThrottled) return;
    const quota = relay.limits.limitsBytes ? LIMITED_QUOTA : FULL_QUOTA;
    const up = this.upload!.pump(this.context, quota);
    const down = this.download!.pump(this.context, quota);
    if (up === Pumped.FAILED || down === Pumped.FAILED) this.end(RelayOutcome.RESET);
    else if (up === Pumped.ENDED && down === Pumped.ENDED) this.end(RelayOutcome.CARRIED);
    else {
      if (up === Pumped.ENDED) this.upload!.tellEnd();
      if (down === Pumped.ENDED) this.download!.tellEnd();
      if (this.count() > 0) this.throttle();
      else if ((up === Pumped.AGAIN || down === Pumped.AGAIN) && !this.isQueued) {
        this.isQueued = true;
        reactor.soon(this);
      }
    }
  }

  private givePrelude(): void {
    if (this.prelude !== null) this.context.preludes.give(this.prelude);
    this.prelude = null;
  }

  /** Counts the bytes carried since the last call. @returns milliseconds that the source must wait */
  private count(): number {
    const { counters, limits } = this.context.relay;
    const { nowMs } = this.context.reactor;
    const { upload, download } = this;
    const moved = upload!.bytes + download!.bytes;
    if (moved === 0) return 0;
    counters.carried(this.serviceSlot, RelayDirection.TO_ORIGIN, upload!.bytes);
    counters.carried(this.serviceSlot, RelayDirection.TO_CLIENT, download!.bytes);
    upload!.bytes = 0;
    download!.bytes = 0;
    this.activeAtMs = nowMs;
    return limits.limitsBytes ? limits.carried(this.sourceHash, moved, nowMs) : 0;
  }

  /** Stops reading until the source's byte rate allows more; TCP then slows the peers down. */
  private throttle(): void {
    const { reactor, relay } = this.context;
    this.isThrottled = true;
    this.cancelWait = reactor.timers.after(THROTTLE_MS, () => {
      this.isThrottled = false;
      if (relay.limits.carried(this.sourceHash, 0, reactor.nowMs) > 0) this.throttle();
      else this.run();
    });
  }
}

/** Local address of a connection. */
function localEndpoint(fd: number): SocketAddress {
  const { bytes, port } = localName(fd);
  return { address: addressFromBytes(bytes), port };
}
