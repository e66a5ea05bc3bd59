import { constants } from 'node:os';
import { EpollEvent, type TcpTransfer } from '../../sys/index.ts';
import { EgressOutcome } from '../egress/egress-outcome.ts';
import type { ProxyHandshake } from '../egress/proxy-handshake.ts';
import type { Dialer } from '../egress/proxy-pool.ts';
import { attempt, type Connected } from './epoll-connect.ts';
import type { Handler, Reactor } from './reactor.ts';
import type { Slabs } from './slabs.ts';

const EAGAIN = -constants.errno.EAGAIN;
/** Longest read from a proxy. */
const READ_BYTES = 8192;

type Done = (result: Connected | null, outcome: EgressOutcome) => void;

/** Dialer on raw descriptors. */
export function epollDialer(reactor: Reactor, transfer: TcpTransfer, slabs: Slabs): Dialer<Connected> {
  return {
    after: reactor.timers.after,
    connect: (address, port, done) => attempt(reactor, address, port, [], done),
    converse(connection, handshake, done) {
      const conversation = new Conversation({ reactor, transfer, slabs }, connection, handshake, done);
      conversation.begin();
      return () => conversation.cancel();
    },
  };
}

interface ConversationContext {
  readonly reactor: Reactor;
  readonly transfer: TcpTransfer;
  readonly slabs: Slabs;
}

/** Runs a proxy handshake on a descriptor. */
class Conversation implements Handler {
  private readonly context: ConversationContext;
  private readonly connection: Connected;
  private readonly handshake: ProxyHandshake;
  private readonly done: Done;
  /** Bytes still to send. */
  private toSend: Uint8Array;
  private events: number;
  private isOver = false;

  constructor(context: ConversationContext, connection: Connected, handshake: ProxyHandshake, done: Done) {
    this.context = context;
    this.connection = connection;
    this.handshake = handshake;
    this.done = done;
    this.toSend = handshake.greeting;
    this.events = connection.events;
  }

  begin(): void {
    this.context.reactor.replace(this.connection.slot, this);
    this.run();
  }

  ready(events: number): void {
    this.events |= events;
    this.run();
  }

  cancel(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.context.reactor.close(this.connection.fd, this.connection.slot);
  }

  private run(): void {
    const { transfer, slabs } = this.context;
    const { fd } = this.connection;
    while (!this.isOver && this.send()) {
      const count = transfer.receive(fd, slabs.current.address, READ_BYTES);
      if (count === EAGAIN) return;
      if (count <= 0) this.fail(EgressOutcome.FAILED);
      else this.handleReply(slabs.current.bytes.slice(0, count));
    }
  }

  /** @returns true if nothing is left to send */
  private send(): boolean {
    const { transfer, slabs } = this.context;
    if (this.toSend.length === 0) return true;
    slabs.current.bytes.set(this.toSend);
    const sent = transfer.send(this.connection.fd, slabs.current.address, this.toSend.length);
    if (sent < 0 && sent !== EAGAIN) this.fail(EgressOutcome.FAILED);
    this.toSend = this.toSend.subarray(Math.max(sent, 0));
    return this.toSend.length === 0 && !this.isOver;
  }

  private handleReply(chunk: Uint8Array): void {
    const answered = this.handshake.handle(chunk);
    if (answered.kind === 'send') this.toSend = answered.bytes;
    else if (answered.kind === 'failed') this.fail(answered.outcome);
    else if (answered.kind === 'open') {
      this.isOver = true;
      const { fd, slot } = this.connection;
      // Edge-triggered events may already have been consumed here, so report the socket as readable.
      const events = this.events | EpollEvent.IN;
      this.done({ fd, slot, events, early: answered.rest }, EgressOutcome.CONNECTED);
    }
  }

  private fail(outcome: EgressOutcome): void {
    this.cancel();
    this.done(null, outcome);
  }
}
