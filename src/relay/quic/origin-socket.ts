import { connectError, EpollEvent, type PacketBatch } from '../../sys/index.ts';
import type { Handler, Reactor } from '../epoll/reactor.ts';
import type { ClientPath } from './client-path.ts';
import type { Datagram } from './datagram.ts';
import type { UploadRun } from './upload-run.ts';

/** Batches of one origin before others get their turn. */
const BATCHES_PER_TURN = 4;
/** Datagrams per call for sources with a byte rate: few may pass before they are counted. */
const GENTLE_SLOTS = 8;
/** Interval for checking whether a source over its byte rate may go on. */
const REST_MS = 25;
const ORIGIN_EVENTS = EpollEvent.IN | EpollEvent.EDGE;

/** Owner of an origin socket. */
export interface OriginUser {
  /** Where the origin's datagrams go. */
  readonly path: ClientPath;
  /** The first datagram has arrived and is about to be carried. */
  answered(): void;
  /** An error, such as ICMP port unreachable, arrived before any answer. */
  failed(): void;
  /** A datagram in bytes[0, length) is about to be carried. */
  received(bytes: Uint8Array, length: number): void;
  /** Counts what was carried. @returns true if the source has used its byte rate: reading then pauses */
  exceedsRate(): boolean;
}

/** State that a thread's origin sockets share. */
export interface OriginTools {
  readonly reactor: Reactor;
  /** Batch that origins' datagrams pass through. */
  readonly downloads: PacketBatch;
  /** Batch for held datagrams. */
  readonly own: PacketBatch;
  readonly run: UploadRun;
  readonly limitsBytes: boolean;
}

/** A connected socket that passes an origin's datagrams to the client in batches. */
export class OriginSocket implements Handler {
  private readonly tools: OriginTools;
  private readonly fd: number;
  private readonly user: OriginUser;
  private readonly slot: number;
  private hasAnswered = false;
  private isClosed = false;
  private isQueued = false;
  private isPaused = false;

  /** @throws SystemCallError if fs.epoll.max_user_watches is exhausted; fd is closed then */
  constructor(tools: OriginTools, fd: number, user: OriginUser) {
    this.tools = tools;
    this.fd = fd;
    this.user = user;
    this.slot = tools.reactor.add(fd, ORIGIN_EVENTS, this);
  }

  send(datagram: Datagram): void {
    this.tools.run.add(this, datagram.slot);
  }

  replay(datagram: Uint8Array): void {
    const { own } = this.tools;
    own.data[0].set(datagram);
    own.lengths[0] = datagram.length;
    // A failure is reported later, by an event: the caller is still in its attempt.
    own.forward(this.fd, 0, 1);
  }

  forward(batch: PacketBatch, first: number, count: number): void {
    if (this.isClosed) return;
    const sent = batch.forward(this.fd, first, count);
    if (sent < count && !this.hasAnswered) this.user.failed();
  }

  ready(events: number): void {
    this.isQueued = false;
    if (this.isClosed) return;
    // Reading the error clears it. After an answer it is ignored: anyone can forge ICMP (RFC 9000 section
    // 14.2.1).
    if ((events & EpollEvent.ERR) !== 0 && connectError(this.fd) !== 0 && !this.hasAnswered) {
      this.user.failed();
      return;
    }
    this.pump();
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.tools.reactor.close(this.fd, this.slot);
  }

  /** Carries what has arrived. An event announces more, unless the last batch was full. */
  private pump(): void {
    const { downloads, limitsBytes, reactor } = this.tools;
    const limit = limitsBytes ? GENTLE_SLOTS : downloads.slots;
    for (let i = 0; i < BATCHES_PER_TURN; i++) {
      if (this.isPaused) return;
      const count = downloads.receive(this.fd, false, limit);
      if (count === 0) return;
      this.carry(count);
      if (this.isClosed || count < limit) return;
    }
    if (this.isQueued) return;
    this.isQueued = true;
    reactor.soon(this);
  }

  private carry(count: number): void {
    const { user } = this;
    const { downloads } = this.tools;
    if (!this.hasAnswered) {
      this.hasAnswered = true;
      user.answered();
    }
    for (let i = 0; i < count; i++) {
      const length = downloads.lengths[i];
      // A full slot means a truncated datagram.
      if (length === downloads.slotBytes) downloads.lengths[i] = 0;
      else if (length > 0) user.received(downloads.data[i], length);
    }
    const { path } = user;
    downloads.forwardTo(path.fd, count, path.endpoint);
    if (user.exceedsRate()) this.pause();
  }

  /** Pauses reading. Datagrams then wait in the socket and overflow, which slows the origin down. */
  private pause(): void {
    this.isPaused = true;
    this.tools.reactor.timers.after(REST_MS, () => {
      this.isPaused = false;
      if (this.isClosed) return;
      if (this.user.exceedsRate()) this.pause();
      else this.pump();
    });
  }
}
