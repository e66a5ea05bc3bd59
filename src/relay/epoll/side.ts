import { EpollEvent } from '../../sys/index.ts';
import { CONNECTION_EVENTS, type Handler, type Reactor } from './reactor.ts';

const READABLE = EpollEvent.IN | EpollEvent.RDHUP | EpollEvent.HUP | EpollEvent.ERR;
const ENDING = EpollEvent.RDHUP | EpollEvent.HUP | EpollEvent.ERR;
const GONE = EpollEvent.HUP | EpollEvent.ERR;

/** Owner of a side; runs when the side's state has changed. */
export interface SideOwner {
  run(): void;
}

/** One of a tunnel's two sockets. Events are edge-triggered, so their state is kept here until it is used up. */
export class Side implements Handler {
  /** -1 once handed over. */
  fd: number;
  slot = -1;
  readable = false;
  writable = false;
  /** The peer's FIN or an error is queued: a short read then does not mean that the queue is empty. */
  ending = false;
  /** All that the peer sent is queued, its FIN included, so that a short read is the end. */
  complete = false;
  /** Both directions are closed. */
  gone = false;
  /** Reads stop short at urgent data. */
  private hasUrgent = false;
  private readonly owner: SideOwner;
  /** OUT is among the events waited for. */
  private watchesOut: boolean;

  /** @param watchesOut false: a new connection with room to send, whose OUT event would only cost time */
  constructor(fd: number, owner: SideOwner, watchesOut: boolean) {
    this.fd = fd;
    this.watchesOut = watchesOut;
    this.writable = !watchesOut;
    this.owner = owner;
  }

  note(events: number): void {
    if ((events & READABLE) !== 0) this.readable = true;
    if ((events & ENDING) !== 0) this.ending = true;
    if ((events & GONE) !== 0) this.gone = true;
    if ((events & EpollEvent.OUT) !== 0) this.writable = true;
    if ((events & EpollEvent.PRI) !== 0) this.hasUrgent = true;
    this.complete = (events & EpollEvent.RDHUP) !== 0 && !this.gone && !this.hasUrgent;
  }

  /** The send buffer is full: waits for OUT. */
  blocked(reactor: Reactor): void {
    this.writable = false;
    if (this.watchesOut) return;
    this.watchesOut = true;
    reactor.modify(this.fd, CONNECTION_EVENTS, this.slot);
  }

  ready(events: number): void {
    this.note(events);
    this.owner.run();
  }
}
