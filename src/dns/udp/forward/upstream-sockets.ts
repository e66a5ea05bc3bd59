import type { RandomSource } from '../../../resolver/forward/index.ts';
import { closeSocket, type Epoll, EpollEvent, openUdpClient } from '../../../sys/index.ts';

/** Sockets to draw from: a forger has to guess which of their random ports a question left by (RFC 5452 9.2). */
export const PORTS = 256;
/** Those that give way but still await replies included. */
const SOCKETS = 2 * PORTS;
/** Instead of a socket: the stream (upstream-stream.ts). */
export const STREAM = SOCKETS;
const LIFE_MS = 60_000;
/** False replies after which a socket gives way to one on another port. */
const MAX_FALSE_REPLIES = 8;
const NONE = -1;

/** The address to connect to. */
export interface UpstreamPeer {
  readonly family: 4 | 6;
  /** As peerName makes it. */
  readonly name: Uint8Array;
}

/**
 * Connected UDP sockets of one thread to one upstream. The kernel draws their ports at random, drops what other peers send,
 * and reports ICMP errors. They are opened as they are drawn, and replaced after a minute or after some false replies.
 */
export class UpstreamSockets {
  private readonly epoll: Epoll;
  private readonly firstTag: number;
  private readonly random: RandomSource;
  private peer: UpstreamPeer | null = null;
  private readonly positions = new Int16Array(PORTS).fill(NONE);
  private readonly fds = new Int32Array(SOCKETS).fill(NONE);
  private readonly bornMs = new Float64Array(SOCKETS);
  private readonly falseReplies = new Uint16Array(SOCKETS);
  private readonly awaited = new Uint16Array(SOCKETS);
  private readonly retired = new Uint8Array(SOCKETS);
  private readonly free: number[] = [];

  /** @param firstTag socket i is known to the epoll as firstTag + i */
  constructor(epoll: Epoll, firstTag: number, random: RandomSource) {
    this.epoll = epoll;
    this.firstTag = firstTag;
    this.random = random;
    for (let socket = SOCKETS - 1; socket >= 0; socket--) this.free.push(socket);
  }

  /** Turns to another upstream; replies of the one before are still taken. */
  use(peer: UpstreamPeer | null): void {
    this.peer = peer;
    for (let position = 0; position < PORTS; position++) this.retireAt(position);
  }

  /** @returns a socket drawn at random, or -1 if none can be opened */
  draw(clock: Float64Array): number {
    const position = this.random.below(PORTS);
    const socket = this.positions[position];
    const isFit =
      socket !== NONE &&
      clock[0] - this.bornMs[socket] < LIFE_MS &&
      this.falseReplies[socket] < MAX_FALSE_REPLIES;
    if (isFit) return socket;
    this.retireAt(position);
    return this.open(position, clock);
  }

  fd(socket: number): number {
    return this.fds[socket];
  }

  /** The kernel reported an ICMP error for it: it is drawn no more. */
  fail(socket: number): void {
    this.falseReplies[socket] = MAX_FALSE_REPLIES;
  }

  /** A reply that is none to what was asked came on it. */
  countFalse(socket: number): void {
    if (this.falseReplies[socket] < MAX_FALSE_REPLIES) this.falseReplies[socket]++;
  }

  /** A question awaits its reply on it. */
  hold(socket: number): void {
    this.awaited[socket]++;
  }

  release(socket: number): void {
    this.awaited[socket]--;
    if (this.retired[socket] === 1 && this.awaited[socket] === 0) this.close(socket);
  }

  closeAll(): void {
    for (let socket = 0; socket < SOCKETS; socket++) if (this.fds[socket] !== NONE) this.close(socket);
    this.positions.fill(NONE);
  }

  private open(position: number, clock: Float64Array): number {
    const { peer, free } = this;
    if (peer === null || free.length === 0) return NONE;
    const fd = openUdpClient(peer.family, peer.name);
    if (fd < 0) return NONE;
    const socket = free.pop()!;
    this.epoll.add(fd, EpollEvent.IN, this.firstTag + socket);
    this.fds[socket] = fd;
    this.bornMs[socket] = clock[0];
    this.falseReplies[socket] = 0;
    this.awaited[socket] = 0;
    this.retired[socket] = 0;
    this.positions[position] = socket;
    return socket;
  }

  private retireAt(position: number): void {
    const socket = this.positions[position];
    if (socket === NONE) return;
    this.positions[position] = NONE;
    this.retired[socket] = 1;
    if (this.awaited[socket] === 0) this.close(socket);
  }

  /** Closing removes it from the epoll. */
  private close(socket: number): void {
    closeSocket(this.fds[socket]);
    this.fds[socket] = NONE;
    this.free.push(socket);
  }
}
