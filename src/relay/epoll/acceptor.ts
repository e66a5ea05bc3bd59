import { constants } from 'node:os';
import { closeSocket, EpollEvent, TcpAcceptor } from '../../sys/index.ts';
import { ClientSource } from '../source.ts';
import type { Handler } from './reactor.ts';
import type { ThreadContext } from './thread-context.ts';
import { Tunnel } from './tunnel.ts';

const ACCEPTS_PER_TURN = 32;
/** Pause after accept fails for lack of descriptors. */
const REST_MS = 100;
const NONE_WAITS = [constants.errno.EAGAIN, constants.errno.EINTR];
const THEIR_LOSS = [constants.errno.ECONNABORTED, constants.errno.EPROTO];

/** Accepts a listener's connections. */
export class Acceptor implements Handler {
  private readonly context: ThreadContext;
  private readonly fd: number;
  private readonly connections: number;
  private readonly socket = new TcpAcceptor();
  private readonly slot: number;
  private isOpen = true;

  constructor(context: ThreadContext, fd: number, connections: number) {
    this.context = context;
    this.fd = fd;
    this.connections = connections;
    this.slot = context.reactor.add(fd, EpollEvent.IN, this);
  }

  ready(): void {
    for (let i = 0; i < ACCEPTS_PER_TURN; i++) {
      const fd = this.socket.accept(this.fd);
      if (fd >= 0) this.open(fd);
      else if (!THEIR_LOSS.includes(-fd)) {
        if (!NONE_WAITS.includes(-fd)) this.pause();
        return;
      }
    }
  }

  close(): void {
    if (!this.isOpen) return;
    this.ready();
    this.isOpen = false;
    this.context.reactor.close(this.fd, this.slot);
  }

  private open(fd: number): void {
    const { context, socket } = this;
    if (context.tunnels.size >= this.connections) {
      closeSocket(fd);
      return;
    }
    const source = new ClientSource({ family: socket.family, words: socket.words() }, socket.port);
    let tunnel: Tunnel;
    try {
      tunnel = new Tunnel(context, fd, source, context.relay.balancers.hasClient(source));
    } catch {
      // fs.epoll.max_user_watches is exhausted; the descriptor is closed.
      return;
    }
    tunnel.start();
  }

  /** A level-triggered listener stays ready, so stop asking it for a while. */
  private pause(): void {
    const { reactor } = this.context;
    reactor.modify(this.fd, 0, this.slot);
    reactor.timers.after(REST_MS, () => {
      if (this.isOpen) reactor.modify(this.fd, EpollEvent.IN, this.slot);
    });
  }
}
