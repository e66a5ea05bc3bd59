import { HEADER_BYTES, id, setId } from '../../wire/index.ts';
import type { RandomSource } from '../random.ts';
import type { DatagramLease, DatagramPool, DatagramReceiver } from './datagram-pool.ts';
import {
  type DatagramSocket,
  type DatagramSocketOwner,
  type OpenDatagramSocket,
  OpenFailure,
} from './datagram-socket.ts';

export interface DatagramPoolLimits {
  /**
   * Sockets a second opened for one query each, so that usually each query has its own port (RFC 5452 9.2).
   * They should cost a few per cent of a core.
   */
  readonly ownSocketsPerSecond: number;
  /** Beyond that rate queries share this many sockets, chosen at random. */
  readonly sharedSockets: number;
  /** Queries after which a shared socket is replaced by one on another port. */
  readonly queriesPerSharedSocket: number;
  readonly inFlightPerSocket: number;
  /** Sockets of both kinds, including those that wait for a last reply. */
  readonly sockets: number;
  /** Idle time after which a shared socket is closed. */
  readonly idleMs: number;
  /** Shared sockets that are opened at once and kept, for when the process is short of descriptors. */
  readonly reservedSockets: number;
}

export interface RandomPortPoolOptions {
  readonly open: OpenDatagramSocket;
  readonly random: RandomSource;
  readonly now: () => number;
  readonly limits: DatagramPoolLimits;
}

/**
 * Sockets on ports chosen by the system, which knows the reserved ones: one for each query at low rates, else
 * shared ones that are replaced.
 */
export class RandomPortPool implements DatagramPool {
  private readonly options: RandomPortPoolOptions;
  private readonly limits: DatagramPoolLimits;
  private readonly all = new Set<PoolSocket>();
  private readonly shared: PoolSocket[] = [];
  private readonly owner: PoolSocketOwner;
  private permits: number;
  private permitsAtMs: number;
  private sweeper: NodeJS.Timeout | undefined;
  private hasNoRoute = false;
  private closed = false;

  constructor(options: RandomPortPoolOptions) {
    this.options = options;
    this.limits = options.limits;
    // Leaves room for shared sockets when those for one query have taken everything they may.
    if (this.limits.sharedSockets >= this.limits.sockets) throw new RangeError('sharedSockets < sockets');
    this.permits = this.burst();
    this.permitsAtMs = options.now();
    this.owner = {
      retired: (retired) => this.replace(retired),
      closed: (gone) => this.all.delete(gone),
    };
    for (let index = 0; index < this.limits.reservedSockets; index++) this.openShared();
  }

  get openSockets(): number {
    return this.all.size;
  }

  send(message: Uint8Array, receiver: DatagramReceiver): DatagramLease | null {
    if (this.closed) return null;
    this.hasNoRoute = false;
    const socket = (this.takePermit() ? this.open(1) : null) ?? this.takeShared();
    if (socket !== null) return socket.send(message, receiver);
    return this.hasNoRoute ? unreachableSoon(receiver) : null;
  }

  async close(): Promise<void> {
    this.closed = true;
    clearInterval(this.sweeper);
    const closing = [...this.all].map((socket) => socket.close());
    this.shared.length = 0;
    await Promise.all(closing);
  }

  /**
   * Drops a shared socket that has carried its share. Without a successor it stays in use: a port that is used longer
   * beats a question that cannot be asked.
   */
  private replace(retired: PoolSocket): void {
    const index = this.shared.indexOf(retired);
    if (index < 0) return;
    this.shared.splice(index, 1);
    if (!this.closed && this.shared.length < this.limits.reservedSockets && this.openShared() === null) {
      this.shared.push(retired);
      retired.renew(this.limits.queriesPerSharedSocket);
    }
  }

  private burst(): number {
    return Math.ceil(this.limits.ownSocketsPerSecond / 4);
  }

  private takePermit(): boolean {
    const nowMs = this.options.now();
    const earned = ((nowMs - this.permitsAtMs) / 1000) * this.limits.ownSocketsPerSecond;
    this.permits = Math.min(this.burst(), this.permits + Math.max(0, earned));
    this.permitsAtMs = nowMs;
    if (this.permits < 1 || this.all.size >= this.limits.sockets - this.limits.sharedSockets) return false;
    this.permits--;
    return true;
  }

  private takeShared(): PoolSocket | null {
    const { random } = this.options;
    if (this.shared.length < this.limits.sharedSockets && this.all.size < this.limits.sockets) {
      const opened = this.openShared();
      if (opened !== null) {
        this.sweeper ??= setInterval(() => this.sweep(), this.limits.idleMs).unref();
        return opened;
      }
    }
    const count = this.shared.length;
    const start = count === 0 ? 0 : random.below(count);
    for (let i = 0; i < count; i++) {
      const socket = this.shared[(start + i) % count];
      if (socket.inFlight < this.limits.inFlightPerSocket) return socket;
    }
    return null;
  }

  private openShared(): PoolSocket | null {
    const opened = this.open(this.limits.queriesPerSharedSocket);
    if (opened !== null) this.shared.push(opened);
    return opened;
  }

  private open(queries: number): PoolSocket | null {
    const socket = new PoolSocket(this.options.random, queries, this.owner);
    const failure = socket.open(this.options.open);
    if (failure === OpenFailure.NO_ROUTE) this.hasNoRoute = true;
    if (failure !== null) return null;
    this.all.add(socket);
    return socket;
  }

  /** Closes shared sockets that carried nothing since the last sweep. */
  private sweep(): void {
    for (const socket of [...this.shared]) {
      if (!socket.usedSinceSweep && this.shared.length > this.limits.reservedSockets) socket.retire();
      socket.usedSinceSweep = false;
    }
    if (this.shared.length > this.limits.reservedSockets) return;
    clearInterval(this.sweeper);
    this.sweeper = undefined;
  }
}

/** Reports a missing route like an ICMP error, but not from within `send`. */
function unreachableSoon(receiver: DatagramReceiver): DatagramLease {
  let held = true;
  queueMicrotask(() => {
    if (held) receiver.unreachable();
  });
  return {
    release: () => {
      held = false;
    },
  };
}

interface PoolSocketOwner {
  /** It takes no more queries. */
  retired(socket: PoolSocket): void;
  closed(socket: PoolSocket): void;
}

class PoolSocket implements DatagramSocketOwner {
  usedSinceSweep = true;
  private socket: DatagramSocket | null = null;
  private readonly random: RandomSource;
  private readonly owner: PoolSocketOwner;
  private readonly leases = new Map<number, SocketLease>();
  private queriesLeft: number;
  private closing: Promise<void> | null = null;

  constructor(random: RandomSource, queries: number, owner: PoolSocketOwner) {
    this.random = random;
    this.queriesLeft = queries;
    this.owner = owner;
  }

  get inFlight(): number {
    return this.leases.size;
  }

  /** @returns null if it is open */
  open(open: OpenDatagramSocket): OpenFailure | null {
    const opened = open(this);
    if (typeof opened === 'number') return opened;
    this.socket = opened;
    return null;
  }

  /** Lets it carry more queries than planned. */
  renew(queries: number): void {
    this.queriesLeft = queries;
  }

  send(message: Uint8Array, receiver: DatagramReceiver): DatagramLease {
    let messageId = this.random.u16();
    while (this.leases.has(messageId)) messageId = this.random.u16();
    setId(message, messageId);
    const lease = new SocketLease(this, messageId, receiver);
    this.leases.set(messageId, lease);
    this.usedSinceSweep = true;
    this.socket?.send(message);
    this.queriesLeft--;
    if (this.queriesLeft === 0) this.owner.retired(this);
    return lease;
  }

  retire(): void {
    this.queriesLeft = 0;
    this.owner.retired(this);
    this.closeIfDone();
  }

  close(): Promise<void> {
    if (this.closing === null) {
      this.leases.clear();
      this.owner.closed(this);
      this.closing = this.socket?.close() ?? Promise.resolve();
    }
    return this.closing;
  }

  release(lease: SocketLease): void {
    if (this.leases.get(lease.messageId) !== lease) return;
    this.leases.delete(lease.messageId);
    this.closeIfDone();
  }

  received(message: Uint8Array, length: number): void {
    if (length < HEADER_BYTES) return;
    const lease = this.leases.get(id(message));
    if (lease === undefined) {
      for (const waiting of [...this.leases.values()]) waiting.receiver.stray(message, length);
      return;
    }
    if (lease.receiver.datagram(message, length)) this.release(lease);
  }

  failed(): void {
    const waiting = [...this.leases.values()];
    this.leases.clear();
    this.retire();
    for (const { receiver } of waiting) receiver.unreachable();
  }

  private closeIfDone(): void {
    if (this.queriesLeft <= 0 && this.leases.size === 0) void this.close();
  }
}

class SocketLease implements DatagramLease {
  readonly messageId: number;
  readonly receiver: DatagramReceiver;
  private readonly socket: PoolSocket;

  constructor(socket: PoolSocket, messageId: number, receiver: DatagramReceiver) {
    this.socket = socket;
    this.messageId = messageId;
    this.receiver = receiver;
  }

  release(): void {
    this.socket.release(this);
  }
}
