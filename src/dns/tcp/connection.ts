import type { Socket } from 'node:net';
import { StreamFramer } from '../../wire/index.ts';
import type { Answerer } from '../answerer.ts';
import type { TransportTraits } from '../query-state.ts';
import type { Source } from '../source.ts';

/** Longer than any query has a use for; a client that announces more is cut off. */
const MAX_QUERY_BYTES = 4096;
/** Queries under way on one connection before no more are read. */
const MAX_IN_FLIGHT = 100;
/** Replies that a client has not read, in octets, before no more of its queries are read. */
const MAX_UNREAD_BYTES = 256 * 1024;

export interface ConnectionOptions {
  readonly answerer: Answerer;
  readonly source: Source;
  readonly traits: TransportTraits;
  /** Queries that one connection may ask. */
  readonly maxQueries: number;
  now(): number;
}

/**
 * DNS over one stream (RFC 7766): queries are answered as their answers come (6.2.1.1), a half-closed
 * connection still gets its answers, and what is answered in one read is written at once.
 */
export class StreamConnection {
  private readonly socket: Socket;
  private readonly options: ConnectionOptions;
  private readonly framer = new StreamFramer(MAX_QUERY_BYTES);
  /** Queries that were read and wait until there is room: of one read, since none follows before. */
  private held: Uint8Array[] = [];
  private asking = false;
  private queries = 0;
  private inFlight = 0;
  private ended = false;
  private draining = false;
  private limited = false;
  /** When the last whole query came or the last reply was taken, in ms: a trickle of octets does not count. */
  private activeAtMs: number;
  /** Called when one of the limits on a connection closes it. */
  onLimit: () => void = () => {};

  constructor(socket: Socket, options: ConnectionOptions) {
    this.socket = socket;
    this.options = options;
    this.activeAtMs = options.now();
    socket.setNoDelay(true);
    socket.on('data', (chunk) => this.read(chunk));
    socket.on('end', () => this.finishReading());
    socket.on('drain', () => {
      this.activeAtMs = options.now();
      this.resumeIfRoom();
    });
    // A reset is the client's way to hang up.
    socket.on('error', () => socket.destroy());
  }

  /** Closes the connection if it has done nothing for `idleMs`: no query, and no reply that it took. */
  closeIfIdle(nowMs: number, idleMs: number): void {
    const waits = this.inFlight > 0 && this.socket.writableLength === 0;
    if (waits || nowMs - this.activeAtMs < idleMs) return;
    this.countLimit();
    this.socket.destroy();
  }

  /** Reads no more; closes when what is under way has been answered and written, whatever the client does. */
  drain(): void {
    this.draining = true;
    this.finishReading();
  }

  private read(chunk: Uint8Array): void {
    if (this.ended) return;
    this.socket.cork();
    this.framer.push(chunk, (query) => this.take(query));
    this.socket.uncork();
    if (this.framer.oversized) {
      this.countLimit();
      this.socket.destroy();
    } else if (this.held.length > 0 || !this.hasRoom()) this.socket.pause();
  }

  private take(query: Uint8Array): void {
    if (this.ended || this.socket.destroyed) return;
    this.activeAtMs = this.options.now();
    if (this.held.length === 0 && this.hasRoom()) this.ask(query);
    else this.held.push(Uint8Array.from(query));
  }

  private ask(query: Uint8Array): void {
    const { answerer, source, traits, maxQueries } = this.options;
    this.queries++;
    this.inFlight++;
    answerer.answer(query, source, traits, (reply) => this.reply(reply));
    if (this.queries < maxQueries) return;
    this.held = [];
    this.countLimit();
    this.finishReading();
  }

  private reply(reply: Uint8Array | null): void {
    this.inFlight--;
    if (this.socket.destroyed) return;
    if (reply === null) {
      // No reply is due: an ignored source, or octets that are no query. Nothing good follows.
      this.socket.destroy();
      return;
    }
    const framed = Buffer.allocUnsafe(reply.length + 2);
    framed.writeUInt16BE(reply.length);
    framed.set(reply, 2);
    this.socket.write(framed);
    this.resumeIfRoom();
    this.endIfDone();
  }

  private hasRoom(): boolean {
    return this.inFlight < MAX_IN_FLIGHT && this.socket.writableLength < MAX_UNREAD_BYTES;
  }

  private resumeIfRoom(): void {
    this.askHeld();
    if (this.held.length === 0 && this.socket.isPaused() && this.hasRoom()) this.socket.resume();
  }

  private askHeld(): void {
    // A query that is answered at once comes back here before it is off the list.
    if (this.asking || this.held.length === 0) return;
    this.asking = true;
    this.socket.cork();
    while (this.held.length > 0 && this.hasRoom() && !this.socket.destroyed) this.ask(this.held.shift()!);
    this.socket.uncork();
    this.asking = false;
  }

  /** A connection counts once, whatever limits it meets. */
  private countLimit(): void {
    if (!this.limited) this.onLimit();
    this.limited = true;
  }

  private finishReading(): void {
    this.ended = true;
    this.endIfDone();
  }

  private endIfDone(): void {
    const done = this.ended && this.inFlight === 0 && this.held.length === 0;
    if (!done) return;
    if (this.draining) this.socket.destroySoon();
    else if (!this.socket.writableEnded) this.socket.end();
  }
}
