import { closeSocket, Epoll, EpollEvent, LoopCounter } from '../../sys/index.ts';
import { Timers } from '../timers.ts';

const EVENTS_PER_TURN = 512;

/** Handles the events of a descriptor. */
export interface Handler {
  /** @param events bits of EpollEvent; 0 for a turn requested by `soon` */
  ready(events: number): void;
}

/** Events of a connection whose send buffer has room, edge-triggered: each is reported once. */
export const READ_EVENTS = EpollEvent.IN | EpollEvent.PRI | EpollEvent.RDHUP | EpollEvent.EDGE;
/** All events of a connection, edge-triggered. */
export const CONNECTION_EVENTS = READ_EVENTS | EpollEvent.OUT;

/** Event loop of a thread that waits in epoll_wait(2) only. */
export class Reactor {
  readonly timers: Timers;
  /** Time at the start of this turn. */
  nowMs: number;
  private readonly epoll = new Epoll(EVENTS_PER_TURN);
  private readonly loop = new LoopCounter();
  private readonly now: () => number;
  private readonly handlers: (Handler | null)[] = [];
  private readonly free: number[] = [];
  /** Slots closed in this turn; its remaining events may still name them. */
  private readonly freed: number[] = [];
  private again: Handler[] = [];

  constructor(now: () => number) {
    this.now = now;
    this.nowMs = now();
    this.timers = new Timers(now);
  }

  /** Watches a descriptor. @returns its slot @throws SystemCallError; the descriptor is closed then */
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

  /** Passes a slot's events to another handler. */
  replace(slot: number, handler: Handler): void {
    this.handlers[slot] = handler;
  }

  /** Changes the events of a descriptor. */
  modify(fd: number, events: number, slot: number): void {
    this.epoll.modify(fd, events, slot);
  }

  /** Closes the descriptor; its handler gets no more events. */
  close(fd: number, slot: number): void {
    this.handlers[slot] = null;
    this.freed.push(slot);
    closeSocket(fd);
  }

  /** Stops watching a descriptor, which stays open. */
  release(fd: number, slot: number): void {
    this.handlers[slot] = null;
    this.freed.push(slot);
    this.epoll.remove(fd);
  }

  /**
   * Runs the handler in the next turn, which then does not wait. For handlers that have more to do but let
   * others in between.
   */
  soon(handler: Handler): void {
    this.again.push(handler);
  }

  /** Waits up to maxWaitMs for events, handles them, and runs due timers. */
  turn(maxWaitMs: number): void {
    const { epoll, handlers, again } = this;
    this.loop.turn();
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
      for (let slot = this.freed.pop(); slot !== undefined; slot = this.freed.pop()) this.free.push(slot);
    }
  }
}
