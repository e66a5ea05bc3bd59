/**
 * Thread of a TLS relay: accepts, reads names, connects and carries in one loop around epoll_wait(2). It never
 * returns to Node's event loop, so messages come by a port that is read when an eventfd wakes it.
 */
import { workerData } from 'node:worker_threads';
import { monotonicClock, TcpTransfer } from '../../sys/index.ts';
import { RelayOutcome } from '../counters.ts';
import { RelayContext } from '../relay-context.ts';
import { Acceptor } from './acceptor.ts';
import { epollDialer } from './epoll-dialer.ts';
import { OpenTunnels } from './open-tunnels.ts';
import { Pipes } from './pipes.ts';
import { Preludes } from './preludes.ts';
import { Reactor } from './reactor.ts';
import type { RelayThreadData } from './relay-thread-data.ts';
import { Slabs } from './slabs.ts';
import type { ThreadContext } from './thread-context.ts';
import { ThreadMail } from './thread-mail.ts';
import { Phase, type ThreadMailData } from './thread-messages.ts';

const WAIT_MS = 1000;
/** Interval for ending tunnels whose time is over or whose registration ended. */
const SWEEP_MS = 400;

class RelayThread {
  private readonly mail: ThreadMail;
  private readonly context: ThreadContext;
  private readonly acceptors: Acceptor[];

  constructor(data: RelayThreadData & ThreadMailData) {
    const relay = new RelayContext(data);
    const reactor = new Reactor(monotonicClock());
    this.mail = new ThreadMail(data, relay, reactor);
    const transfer = new TcpTransfer();
    const slabs = new Slabs();
    this.context = {
      relay,
      reactor,
      transfer,
      slabs,
      pipes: new Pipes(),
      preludes: new Preludes(),
      tunnels: new OpenTunnels(),
      dialer: epollDialer(reactor, transfer, slabs),
      resolve: (name, done) => this.mail.resolve(name, done),
      handOver: (connection) => this.mail.handOver(connection),
    };
    this.acceptors = data.listeners.map((fd) => new Acceptor(this.context, fd, data.connections));
    this.sweepLater();
  }

  run(): void {
    const { reactor, tunnels, pipes } = this.context;
    this.mail.ready();
    for (;;) {
      const { phase } = this.mail;
      if (phase !== Phase.SERVING) for (const acceptor of this.acceptors) acceptor.close();
      if (phase === Phase.STOPPING) tunnels.each((tunnel) => tunnel.end(RelayOutcome.DRAINED));
      if (phase !== Phase.SERVING && tunnels.size === 0) {
        pipes.close();
        return;
      }
      reactor.turn(WAIT_MS);
    }
  }

  private sweepLater(): void {
    const { reactor, tunnels } = this.context;
    reactor.timers.after(SWEEP_MS, () => {
      tunnels.each((tunnel) => tunnel.sweep(reactor.nowMs));
      this.sweepLater();
    });
  }
}

new RelayThread(workerData as RelayThreadData & ThreadMailData).run();
