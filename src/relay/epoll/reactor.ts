import { closeSocket, Epoll, EpollEvent } from '../../sys/index.ts';
import { Timers } from '../timers.ts';

const EVENTS_PER_TURN = 512;

/** What waits for a descriptor. */
export interface Handler {
  /** @param events of EpollEvent; 0 where it asked for another turn itself */
  ready(events: number): void;
}

/** Every event of a connection, each told once when it comes. */
export const CONNECTION_EVENTS = EpollEvent.IN | EpollEvent.OUT | EpollEvent.RDHUP | EpollEvent.EDGE;

/** The event loop of a thread that waits in epoll_wait(2) and nowhere else. */
export class Reactor {
  readonly timers: Timers;
  /** The time of this turn. */
  nowMs: number;
  private readonly epoll = new Epoll(EVENTS_PER_TURN);
  private readonly now: () => number;
  private readonly handlers: (Handler | null)[] = [];
  private free: number[] = [];
  /** Slots that this turn's events may still name. */
  private freed: number[] = [];
  private again: Handler[] = [];

  constructor(now: () => number) {
    this.now = now;
    this.nowMs = now();
    this.timers = new Timers(now);
  }

  /** @returns the slot by which the descriptor is known. @throws SystemCallError; the descriptor is closed then. */
  add(fd: number, events: number, handler: Handler): number {
    const slot = this.free.pop() ?? this.handlers.length;
    this.handlers[slot] = handler;
    try {
      this.epoll.add(fd, events, slot);
      return slot;
    } catch (error) {
      this.close(fd, slot);
      throw error;
    }
  }

  /** Gives a slot's events to another handler. */
  replace(slot: number, handler: Handler): void {
    this.handlers[slot] = handler;
  }

  /** Changes what is waited for. */
  modify(fd: number, events: number, slot: number): void {
    this.epoll.modify(fd, events, slot);
  }

  /** Closes the descriptor; its handler hears no more. */
  close(fd: number, slot: number): void {
    this.handlers[slot] = null;
    this.freed.push(slot);
    closeSocket(fd);
  }

  /** Calls the handler in the next turn, which then does not wait: it has more to do and lets others in between. */
  soon(handler: Handler): void {
    this.again.push(handler);
  }

  /** Waits for events, for maxWaitMs at most, and handles them and what is due. */
  turn(maxWaitMs: number): void {
    const { epoll, handlers, again } = this;
    const waitMs = again.length > 0 ? 0 : Math.ceil(this.timers.untilNext(maxWaitMs));
    const count = epoll.wait(waitMs);
    this.nowMs = this.now();
    for (let i = 0; i < count; i++) handlers[epoll.dataAt(i)]?.ready(epoll.eventsAt(i));
    if (again.length > 0) {
      this.again = [];
      for (const handler of again) handler.ready(0);
    }
    this.timers.run();
    if (this.freed.length > 0) {
      this.free = this.free.concat(this.freed);
      this.freed = [];
    }
  }
}
