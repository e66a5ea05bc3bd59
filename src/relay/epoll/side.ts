import { EpollEvent } from '../../sys/index.ts';
import type { Handler } from './reactor.ts';

const READABLE = EpollEvent.IN | EpollEvent.RDHUP | EpollEvent.HUP | EpollEvent.ERR;
const ENDING = EpollEvent.RDHUP | EpollEvent.HUP | EpollEvent.ERR;
const GONE = EpollEvent.HUP | EpollEvent.ERR;

/**
 * One of a tunnel's two sockets. Events are edge-triggered, so their state is kept here until it is used up.
 */
export class Side implements Handler {
  readonly fd: number;
  slot = -1;
  readable = false;
  writable = false;
  /** The peer's FIN is queued: a short read then does not mean that the queue is empty. */
  ending = false;
  /** Both directions are closed. */
  gone = false;
  private readonly run: () => void;

  constructor(fd: number, run: () => void) {
    this.fd = fd;
    this.run = run;
  }

  note(events: number): void {
    if ((events & READABLE) !== 0) this.readable = true;
    if ((events & ENDING) !== 0) this.ending = true;
    if ((events & GONE) !== 0) this.gone = true;
    if ((events & EpollEvent.OUT) !== 0) this.writable = true;
  }

  ready(events: number): void {
    this.note(events);
    this.run();
  }
}
