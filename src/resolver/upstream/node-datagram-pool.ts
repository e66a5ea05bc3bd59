import dgram from 'node:dgram';
import { HEADER_BYTES, id, setId } from '../../wire/index.ts';
import type { RandomSource } from '../random.ts';
import type { DatagramLease, DatagramPool, DatagramReceiver } from './datagram-pool.ts';

export interface NodeDatagramPoolOptions {
  readonly address: string;
  readonly family: 4 | 6;
  readonly port: number;
  readonly random: RandomSource;
  readonly now: () => number;
  readonly limits?: Partial<DatagramPoolLimits>;
}

export interface DatagramPoolLimits {
  /**
   * Sockets a second that are opened for one query each, so that as a rule each query has a port of its own
   * (RFC 5452 9.2). Opening and closing one costs about 40 us: this many are a few per cent of a core.
   */
  readonly ownSocketsPerSecond: number;
  /** Past that rate queries share this many sockets, one of them taken at random. */
  readonly sharedSockets: number;
  /** Queries that a shared socket carries before it gives way to one on another port. */
  readonly queriesPerSharedSocket: number;
  readonly inFlightPerSocket: number;
  /** Sockets of both kinds, those that wait for a last reply included. */
  readonly sockets: number;
  /** How long a shared socket stays open without use. */
  readonly idleMs: number;
}

const DEFAULT_LIMITS: DatagramPoolLimits = Object.freeze({
  ownSocketsPerSecond: 1000,
  sharedSockets: 64,
  queriesPerSharedSocket: 1024,
  inFlightPerSocket: 256,
  sockets: 512,
  idleMs: 10_000,
});

/** The literal is handed to the system as it is, at once: dns.lookup would take a turn of the loop. */
const literalLookup = (
  address: string,
  family: number,
  callback: (error: Error | null, address: string, family: number) => void,
): void => callback(null, address, family);

/**
 * Sockets of node:dgram. Each is connected, so that the kernel drops what comes from elsewhere and reports
 * ICMP errors. Ports are the kernel's choice: it draws them at random, and knows which are reserved.
 */
export class NodeDatagramPool implements DatagramPool {
  private readonly options: NodeDatagramPoolOptions;
  private readonly limits: DatagramPoolLimits;
  private readonly all = new Set<PoolSocket>();
  private readonly shared: PoolSocket[] = [];
  private permits: number;
  private permitsAtMs: number;
  private sweeper: NodeJS.Timeout | undefined;
  private openFailed = false;
  private closed = false;

  constructor(options: NodeDatagramPoolOptions) {
    this.options = options;
    this.limits = { ...DEFAULT_LIMITS, ...options.limits };
    // Shared sockets must find room when those with one query have taken all they may.
    if (this.limits.sharedSockets >= this.limits.sockets) throw new RangeError('sharedSockets < sockets');
    this.permits = this.burst();
    this.permitsAtMs = options.now();
  }

  get openSockets(): number {
    return this.all.size;
  }

  send(message: Uint8Array, receiver: DatagramReceiver): DatagramLease | null {
    if (this.closed) return null;
    this.openFailed = false;
    const socket = this.takePermit() ? this.open(1) : this.takeShared();
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
    const socket = new PoolSocket(this.options, queries, {
      retired: (retired) => {
        const index = this.shared.indexOf(retired);
        if (index >= 0) this.shared.splice(index, 1);
      },
      closed: (gone) => this.all.delete(gone),
    });
    if (socket.connect()) {
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

class PoolSocket {
  usedSinceSweep = true;
  private readonly socket: dgram.Socket;
  private readonly options: NodeDatagramPoolOptions;
  private readonly owner: PoolSocketOwner;
  private readonly receivers = new Map<number, DatagramReceiver>();
  private queriesLeft: number;
  private remoteAddress = '';
  private isClosed = false;

  constructor(options: NodeDatagramPoolOptions, queries: number, owner: PoolSocketOwner) {
    this.options = options;
    this.queriesLeft = queries;
    this.owner = owner;
    this.socket = dgram.createSocket({
      type: options.family === 4 ? 'udp4' : 'udp6',
      lookup: literalLookup as never,
    });
    this.socket.on('message', (message, from) => this.received(message, from));
    this.socket.on('error', () => this.failed());
  }

  get inFlight(): number {
    return this.receivers.size;
  }

  /** @returns false if the system gives no socket or knows no way to the server. */
  connect(): boolean {
    const { address, port } = this.options;
    try {
      this.socket.connect(port, address);
      this.remoteAddress = this.socket.remoteAddress().address;
    } catch {
      this.close();
      return false;
    }
    this.socket.unref();
    return true;
  }

  send(message: Uint8Array, receiver: DatagramReceiver): DatagramLease {
    const { random } = this.options;
    let messageId = random.u16();
    while (this.receivers.has(messageId)) messageId = random.u16();
    setId(message, messageId);
    this.receivers.set(messageId, receiver);
    this.usedSinceSweep = true;
    this.socket.send(message);
    this.queriesLeft--;
    if (this.queriesLeft === 0) this.owner.retired(this);
    return { release: () => this.release(messageId, receiver) };
  }

  retire(): void {
    this.queriesLeft = 0;
    this.owner.retired(this);
    this.closeIfDone();
  }

  close(): Promise<void> {
    if (this.isClosed) return Promise.resolve();
    this.isClosed = true;
    this.receivers.clear();
    this.owner.closed(this);
    return new Promise((resolve) => {
      this.socket.close(() => resolve());
    });
  }

  private release(messageId: number, receiver: DatagramReceiver): void {
    if (this.receivers.get(messageId) !== receiver) return;
    this.receivers.delete(messageId);
    this.closeIfDone();
  }

  private closeIfDone(): void {
    if (this.queriesLeft <= 0 && this.receivers.size === 0) void this.close();
  }

  private received(message: Uint8Array, from: dgram.RemoteInfo): void {
    // Between bind and connect the kernel queues what anyone sends.
    if (from.port !== this.options.port || from.address !== this.remoteAddress) return;
    if (message.length < HEADER_BYTES) return;
    const messageId = id(message);
    const receiver = this.receivers.get(messageId);
    if (receiver === undefined) {
      for (const waiting of [...this.receivers.values()]) waiting.stray(message, message.length);
      return;
    }
    if (receiver.datagram(message, message.length)) this.release(messageId, receiver);
  }

  private failed(): void {
    const waiting = [...this.receivers.values()];
    this.receivers.clear();
    this.retire();
    for (const receiver of waiting) receiver.unreachable();
  }
}
