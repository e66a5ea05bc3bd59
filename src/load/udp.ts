import {
  closeSocket,
  isBindError,
  libc,
  openUdpSocket,
  PacketBatch,
  Poller,
  type UdpSocketOptions,
} from '../sys/index.ts';
import { HEADER_BYTES, id, MAX_QUERY_BYTES } from '../wire/index.ts';
import { LoadUnavailableError } from './errors.ts';
import type { Generator, LoadRun } from './generator.ts';
import { MAX_OUTSTANDING, NOT_WAITING, Outstanding } from './outstanding.ts';
import { type Sources, sourceText } from './sources.ts';
import { WARM_UP } from './tallies.ts';

const SEND_SLOTS = 64;
const RECEIVE_SLOTS = 128;
const RECEIVE_BYTES = 2048;
const SOCKET_BUFFER_BYTES = 16 << 20;
const MAX_SOCKETS = 64;
/** poll(2) wakes up to a millisecond late, so the loop does not sleep this close to a due time. */
const BUSY_MS = 1.5;
/** Sleep limit while answers may come, so that they are read promptly. */
const EXPIRE_EVERY_MS = 5;

/**
 * Open loop over UDP: batches through sendmmsg(2) and recvmmsg(2) in one thread. Each packet's source is chosen
 * by IP_PKTINFO, so a few sockets ask from thousands of addresses; the number of sockets follows from the
 * message IDs needed for outstanding queries. An answer is matched by port, destination address and ID.
 */
export class UdpGenerator implements Generator {
  private readonly run: LoadRun;
  private readonly sockets: readonly number[];
  private readonly outstanding: readonly Outstanding[];
  private readonly poller: Poller;
  private readonly outgoing: PacketBatch;
  private readonly incoming: PacketBatch;
  private readonly targetWords: Uint32Array;
  private readonly stride: number;
  private sentCount = 0;
  private socketTurn = 0;
  private isStopped = false;
  endedMs: number | null = null;
  private lastExpiryMs = 0;

  /**
   * @throws LoadUnavailableError if the platform has no batches or a source is not an address of this machine
   */
  constructor(run: LoadRun) {
    if (libc() === null) throw new LoadUnavailableError('UDP loads need Linux on x64 or arm64, and koffi');
    this.run = run;
    const { plan } = run;
    const { address, port } = plan.target;
    this.stride = address.family === 4 ? 4 : 16;
    assertOwnAddresses(plan.sources);
    assertOwnAddresses(plan.unregistered);
    const ids = (plan.ratePerSecond * plan.timeoutMs) / 1000;
    const count = Math.min(MAX_SOCKETS, Math.ceil((ids * 1.25) / MAX_OUTSTANDING));
    const sockets = Array.from({ length: count }, () => openUdpSocket(socketOptions(address.family)));
    this.sockets = sockets;
    this.outstanding = sockets.map(() => new Outstanding(MAX_OUTSTANDING));
    this.poller = new Poller(sockets);
    this.outgoing = new PacketBatch(SEND_SLOTS, MAX_QUERY_BYTES, true);
    for (let i = 0; i < SEND_SLOTS; i++) {
      this.outgoing.setDestination(i, address.family, address.bytes, port);
    }
    this.incoming = new PacketBatch(RECEIVE_SLOTS, RECEIVE_BYTES, true);
    this.targetWords = wordsOf(address.bytes);
  }

  /** UDP has nothing to connect. */
  async connected(): Promise<void> {}

  work(untilMs: number): boolean {
    const { schedule, now, plan, tallies } = this.run;
    for (;;) {
      const nowMs = now();
      if (nowMs >= untilMs) return false;
      this.sentCount = schedule.next(this.sentCount, nowMs);
      const isSending =
        !this.isStopped && this.sentCount < schedule.count && nowMs <= schedule.endMs + plan.timeoutMs;
      if (!isSending) this.endedMs ??= nowMs;
      const due = isSending ? schedule.dueBy(nowMs) - this.sentCount : 0;
      if (due > 0) this.send(due < SEND_SLOTS ? due : SEND_SLOTS);
      const wakeMs = isSending ? schedule.dueMs(this.sentCount) : untilMs;
      this.receive(this.waitMs(wakeMs < untilMs ? wakeMs : untilMs));
      if (nowMs - this.lastExpiryMs < EXPIRE_EVERY_MS) continue;
      this.lastExpiryMs = nowMs;
      for (const queries of this.outstanding) queries.expire(nowMs - plan.timeoutMs, tallies);
      if (!isSending && this.outstanding.every((queries) => queries.isEmpty)) {
        this.countUnsent();
        return true;
      }
    }
  }

  stop(): void {
    this.isStopped = true;
  }

  close(): void {
    for (const fd of this.sockets) closeSocket(fd);
  }

  /** Whole milliseconds in which nothing is due. */
  private waitMs(wakeMs: number): number {
    const left = wakeMs - this.run.now();
    if (left < BUSY_MS) return 0;
    return Math.min(Math.floor(left - 1), EXPIRE_EVERY_MS);
  }

  private send(count: number): void {
    const { schedule, traffic, tallies, plan, now } = this.run;
    const batch = this.outgoing;
    const socket = this.socketTurn;
    this.socketTurn = socket + 1 === this.sockets.length ? 0 : socket + 1;
    const queries = this.outstanding[socket];
    const sentMs = now();
    for (let i = 0; i < count; i++) {
      traffic.next();
      const n = this.sentCount++;
      const dueMs = schedule.dueMs(n);
      const category = n < schedule.warmUpCount ? WARM_UP : traffic.category;
      const sources = traffic.isUnregistered ? plan.unregistered : plan.sources;
      // The lowest bit says which list the source is from.
      const source = traffic.source * 2 + (traffic.isUnregistered ? 1 : 0);
      const queryId = queries.add(dueMs, sentMs, source, category, tallies);
      batch.replyLengths[i] = traffic.write(batch.data[i], queryId);
      if (sources.count > 0) batch.setSource(i, sources.bytes, traffic.source * this.stride);
      tallies.sent(category, sentMs - dueMs);
    }
    batch.send(this.sockets[socket], count);
  }

  private receive(waitMs: number): void {
    if (this.poller.wait(waitMs) <= 0) return;
    for (let socket = 0; socket < this.sockets.length; socket++) {
      if (!this.poller.isReady(socket)) continue;
      const count = this.incoming.receive(this.sockets[socket], false);
      const nowMs = this.run.now();
      for (let i = 0; i < count; i++) this.take(i, this.outstanding[socket], nowMs);
    }
  }

  private take(i: number, queries: Outstanding, nowMs: number): void {
    const { tallies } = this.run;
    const message = this.incoming.data[i];
    const slot = this.isFromTarget(i) ? queries.find(id(message)) : NOT_WAITING;
    if (slot === NOT_WAITING || !this.isToSource(i, queries.sources[slot])) {
      tallies.unexpected++;
      return;
    }
    queries.settle(slot);
    tallies.answered(queries.categories[slot], nowMs - queries.dueMs[slot], message);
  }

  private isFromTarget(i: number): boolean {
    const batch = this.incoming;
    if (batch.lengths[i] < HEADER_BYTES || batch.ports[i] !== this.run.plan.target.port) return false;
    for (let word = 0; word < this.targetWords.length; word++) {
      if (batch.addresses[i * 4 + word] !== this.targetWords[word]) return false;
    }
    return true;
  }

  private isToSource(i: number, source: number): boolean {
    const { plan } = this.run;
    const sources = (source & 1) === 1 ? plan.unregistered : plan.sources;
    return sources.count === 0 || this.incoming.wasSentTo(i, sources.bytes, (source >>> 1) * this.stride);
  }

  /** Counts what the load had still to send when it ended. */
  private countUnsent(): void {
    const { schedule, traffic, tallies } = this.run;
    if (this.isStopped) return;
    for (; this.sentCount < schedule.count; this.sentCount++) {
      traffic.next();
      tallies.unsent(this.sentCount < schedule.warmUpCount ? WARM_UP : traffic.category);
    }
  }
}

function socketOptions(family: 4 | 6, address = new Uint8Array(family === 4 ? 4 : 16)): UdpSocketOptions {
  return {
    family,
    address,
    port: 0,
    reusePort: false,
    receiveBufferBytes: SOCKET_BUFFER_BYTES,
    receiveTimeoutMs: 100,
    packetInfo: true,
  };
}

/** Binds to the first and the last source to see whether they are addresses of this machine. */
function assertOwnAddresses(sources: Sources): void {
  const stride = sources.family === 4 ? 4 : 16;
  for (const i of sources.count === 0 ? [] : [0, sources.count - 1]) {
    const address = sources.bytes.slice(i * stride, (i + 1) * stride);
    try {
      closeSocket(openUdpSocket(socketOptions(sources.family, address)));
    } catch (error) {
      if (!isBindError(error)) throw error;
      throw new LoadUnavailableError(`cannot ask from ${sourceText(sources, i)}: ${error.code}`);
    }
  }
}

function wordsOf(bytes: Uint8Array): Uint32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Uint32Array.from({ length: bytes.length / 4 }, (_, i) => view.getUint32(i * 4));
}
