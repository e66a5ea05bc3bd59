import type { Socket } from 'node:net';
import { HEADER_BYTES, id, LENGTH_BYTES, MAX_QUERY_BYTES, StreamFramer, writeU16 } from '../../wire/index.ts';
import type { LoadRun } from '../generator.ts';
import { NOT_WAITING, Outstanding } from '../outstanding.ts';
import type { LoadConnection } from './connection.ts';
import { openStream, RECONNECT_MS } from './link.ts';

/** Most bytes waiting in the socket; past this the server is not reading and no query is sent. */
const MAX_BACKLOG_BYTES = 1 << 20;
const BUFFER_BYTES = 32 << 10;

/**
 * Pipelined queries on a stream with length prefixes (RFC 1035 section 4.2.2, RFC 7858, RFC 7766 section
 * 6.2.1.1).
 */
export class FramedConnection implements LoadConnection {
  readonly settled: Promise<void>;
  private readonly run: LoadRun;
  private readonly localAddress: string | undefined;
  private readonly queries: Outstanding;
  private settle: () => void = () => {};
  private socket: Socket | null = null;
  private isOpen = false;
  private isClosed = false;
  private buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  private used = 0;
  private timer: NodeJS.Timeout | undefined;

  constructor(run: LoadRun, localAddress: string | undefined, capacity: number) {
    this.run = run;
    this.localAddress = localAddress;
    this.queries = new Outstanding(capacity);
    this.settled = new Promise((resolve) => {
      this.settle = resolve;
    });
    this.open();
  }

  get isIdle(): boolean {
    return this.queries.isEmpty;
  }

  ask(dueMs: number, category: number): boolean {
    if (!this.isOpen || this.socket!.writableLength > MAX_BACKLOG_BYTES) return false;
    if (this.used + LENGTH_BYTES + MAX_QUERY_BYTES > this.buffer.length) this.flush();
    const { now, tallies, traffic } = this.run;
    const sentMs = now();
    const queryId = this.queries.add(dueMs, sentMs, 0, category, tallies);
    const length = traffic.write(this.buffer.subarray(this.used + LENGTH_BYTES), queryId);
    writeU16(this.buffer, this.used, length);
    this.used += LENGTH_BYTES + length;
    tallies.sent(category, sentMs - dueMs);
    return true;
  }

  flush(): void {
    if (this.used === 0) return;
    // The socket may keep the buffer until it is written, so copy it.
    if (this.isOpen) this.socket!.write(Buffer.from(this.buffer.subarray(0, this.used)));
    this.used = 0;
  }

  expire(limitMs: number): void {
    this.queries.expire(limitMs, this.run.tallies);
  }

  close(): void {
    this.isClosed = true;
    clearTimeout(this.timer);
    this.socket?.destroy();
  }

  private open(): void {
    const socket = openStream(this.run.plan, this.localAddress);
    const framer = new StreamFramer();
    const onMessage = (message: Uint8Array): void => this.take(message);
    this.socket = socket;
    socket.once(this.run.plan.transport === 'tls' ? 'secureConnect' : 'connect', () => {
      this.isOpen = true;
      this.settle();
    });
    socket.on('data', (chunk) => framer.push(chunk, onMessage));
    // 'close' follows and handles it.
    socket.on('error', () => {});
    socket.once('close', () => this.reopen());
  }

  private reopen(): void {
    this.isOpen = false;
    this.used = 0;
    if (this.isClosed) return;
    this.run.tallies.connectionFaults++;
    this.queries.expire(Number.POSITIVE_INFINITY, this.run.tallies);
    this.settle();
    this.timer = setTimeout(() => this.open(), RECONNECT_MS);
  }

  private take(message: Uint8Array): void {
    const { now, tallies } = this.run;
    const slot = message.length >= HEADER_BYTES ? this.queries.find(id(message)) : NOT_WAITING;
    if (slot === NOT_WAITING) {
      tallies.unexpected++;
      return;
    }
    this.queries.settle(slot);
    tallies.answered(this.queries.categories[slot], now() - this.queries.dueMs[slot], message);
  }
}
