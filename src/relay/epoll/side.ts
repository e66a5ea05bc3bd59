import { EpollEvent } from '../../sys/index.ts';
import type { Handler } from './reactor.ts';

const READABLE = EpollEvent.IN | EpollEvent.RDHUP | EpollEvent.HUP | EpollEvent.ERR;
const ENDING = EpollEvent.RDHUP | EpollEvent.HUP | EpollEvent.ERR;
const GONE = EpollEvent.HUP | EpollEvent.ERR;

/** One of a tunnel's two sockets. Its events come once, so what they said is kept until it is used up. */
export class Side implements Handler {
  readonly fd: number;
  slot = -1;
  readable = false;
  writable = false;
  /** Its end is in the socket's queue already: then a short read does not mean that there is no more. */
  ending = false;
  /** Both directions are gone. */
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
