import { HEADER_BYTES, id, setId } from '../../wire/index.ts';
import type { RandomSource } from '../random.ts';
import type { DatagramLease, DatagramPool, DatagramReceiver } from './datagram-pool.ts';
import type { DatagramSocket, DatagramSocketOwner, OpenDatagramSocket } from './datagram-socket.ts';

export interface DatagramPoolLimits {
  /**
   * Sockets a second that are opened for one query each, so that as a rule each query has a port of its own
   * (RFC 5452 9.2): what they cost should be a few per cent of a core.
   */
  readonly ownSocketsPerSecond: number;
  /** Past that rate queries handle this many sockets, one of them taken at random. */
  readonly sharedSockets: number;
  /** Queries that a shared socket carries before it gives way to one on another port. */
  readonly queriesPerSharedSocket: number;
  readonly inFlightPerSocket: number;
  /** Sockets of both kinds, those that wait for a last reply included. */
  readonly sockets: number;
  /** How long a shared socket stays open without use. */
  readonly idleMs: number;
}

export interface RandomPortPoolOptions {
  readonly open: OpenDatagramSocket;
  readonly random: RandomSource;
  readonly now: () => number;
  readonly limits: DatagramPoolLimits;
}

/**
 * Sockets on ports that the system draws, which knows the reserved ones: one for each query as long as few are asked,
 * then shared ones that are renewed.
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
  private openFailed = false;
  private closed = false;

  constructor(options: RandomPortPoolOptions) {
    this.options = options;
    this.limits = options.limits;
    // Shared sockets must find room when those with one query have taken all they may.
    if (this.limits.sharedSockets >= this.limits.sockets) throw new RangeError('sharedSockets < sockets');
    this.permits = this.burst();
    this.permitsAtMs = options.now();
    this.owner = {
      retired: (retired) => {
        const index = this.shared.indexOf(retired);
        if (index >= 0) this.shared.splice(index, 1);
      },
      closed: (gone) => this.all.delete(gone),
    };
  }

  get openSockets(): number {
    return this.all.size;
  }

  send(message: Uint8Array, receiver: DatagramReceiver): DatagramLease | null {
    if (this.closed) return null;
    this.openFailed = false;
    const socket = (this.takePermit() ? this.open(1) : null) ?? this.takeShared();
    if (socket !== null) return socket.send(message, receiver);
    return this.openFailed ? unreachableSoon(receiver) : null;
  }

  async close(): Promise<void> {
    this.closed = true;
    clearInterval(this.sweeper);
    const closing = [...this.all].map((socket) => socket.close());
    this.shared.length = 0;
    await Promise.all(closing);
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
      const opened = this.open(this.limits.queriesPerSharedSocket);
      if (opened !== null) {
        this.shared.push(opened);
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

  private open(queries: number): PoolSocket | null {
    const socket = new PoolSocket(this.options.random, queries, this.owner);
    if (socket.open(this.options.open)) {
      this.all.add(socket);
      return socket;
    }
    this.openFailed = true;
    return null;
  }

  /** Closes the shared sockets that carried nothing since the last sweep. */
  private sweep(): void {
    for (const socket of [...this.shared]) {
      if (!socket.usedSinceSweep) socket.retire();
      socket.usedSinceSweep = false;
    }
    if (this.shared.length > 0) return;
    clearInterval(this.sweeper);
    this.sweeper = undefined;
  }
}

/** The system has no way to the server, or no socket: said like an ICMP error, not from within `send`. */
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

  open(open: OpenDatagramSocket): boolean {
    this.socket = open(this);
    return this.socket !== null;
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
