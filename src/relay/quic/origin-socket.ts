import { connectError, EpollEvent, type PacketBatch } from '../../sys/index.ts';
import type { Handler, Reactor } from '../epoll/reactor.ts';
import type { ClientPath } from './client-path.ts';
import type { Datagram } from './datagram.ts';
import type { UploadRun } from './upload-run.ts';

/** Batches that one origin's datagrams get before others have their turn. */
const BATCHES_PER_TURN = 4;
/** Datagrams of a call where bytes are counted against a limit: so that little passes before they are. */
const GENTLE_SLOTS = 8;
/** How long a source that has had its handle of bytes waits before it is looked at again. */
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

/** What the origins of a thread handle. */
export interface OriginTools {
  readonly reactor: Reactor;
  /** Origins' datagrams pass through it. */
  readonly downloads: PacketBatch;
  /** For datagrams that were held. */
  readonly own: PacketBatch;
  readonly run: UploadRun;
  readonly limitsBytes: boolean;
}

/** A connected socket whose datagrams go to a client in batches. */
export class OriginSocket implements Handler {
  private readonly tools: OriginTools;
  private readonly fd: number;
  private readonly user: OriginUser;
  private readonly slot: number;
  private hasAnswered = false;
  private isClosed = false;
  private isQueued = false;
  private isPaused = false;

  /** @throws SystemCallError where the user's handle of watches (fs.epoll.max_user_watches) is used up; fd is closed then. */
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
    // What comes of it is told later: whoever replays is not done with its attempt yet.
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
    // Reading the error clears it. Behind an answer it is not believed (RFC 9000, 14.2.1): anyone can forge it.
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

  /** Carries what has come; an event tells of more, unless it is seen here that there is. */
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
      // What fills its slot was cut.
      if (length === downloads.slotBytes) downloads.lengths[i] = 0;
      else if (length > 0) user.received(downloads.data[i], length);
    }
    const { path } = user;
    downloads.forwardTo(path.fd, count, path.endpoint);
    if (user.exceedsRate()) this.pause();
  }

  /** What the origin sends meanwhile waits in the socket, and is lost when that is full: the origin slows down. */
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
