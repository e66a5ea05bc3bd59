/**
 * A relay's thread: accepts, judges, connects and carries, all in one loop around epoll_wait(2), until it is told to
 * stop. It never returns to its event loop; mail reaches it by a message port, with an event that wakes it.
 */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { RelayOutcome } from '../../metrics/index.ts';
import { clearEvent, EpollEvent, monotonicClock, TcpTransfer } from '../../sys/index.ts';
import { RelayContext } from '../context.ts';
import type { OriginAddresses } from '../origin-addresses.ts';
import { Acceptor } from './acceptor.ts';
import type { ThreadContext } from './context.ts';
import { Reactor } from './reactor.ts';
import { Slabs } from './slabs.ts';
import { type FromThread, PHASE_WORD, Phase, type RelayThreadData, type ToThread } from './worker-data.ts';

const WAIT_MS = 1000;
/** How often tunnels are looked over: whether their source is still registered, and whether they still move. */
const SWEEP_MS = 400;

type Resolved = (addresses: OriginAddresses | null) => void;

class RelayThread {
  private readonly data: RelayThreadData;
  private readonly control: Int32Array;
  private readonly context: ThreadContext;
  private readonly acceptors: Acceptor[];
  private readonly pending = new Map<number, Resolved>();
  private nextId = 0;

  constructor(data: RelayThreadData) {
    this.data = data;
    this.control = new Int32Array(data.control);
    this.context = {
      relay: new RelayContext(data),
      reactor: new Reactor(monotonicClock()),
      transfer: new TcpTransfer(),
      slabs: new Slabs(),
      tunnels: new Set(),
      resolve: (name, done) => this.resolve(name, done),
    };
    this.acceptors = data.listeners.map((fd) => new Acceptor(this.context, fd, data.connections));
    this.context.reactor.add(data.event, EpollEvent.IN, { ready: () => this.readMail() });
    this.sweepLater();
  }

  run(): void {
    const { reactor, tunnels } = this.context;
    send({ kind: 'ready' });
    for (;;) {
      const phase = Atomics.load(this.control, PHASE_WORD);
      if (phase !== Phase.SERVING) for (const acceptor of this.acceptors) acceptor.close();
      if (phase === Phase.STOPPING) for (const tunnel of tunnels) tunnel.end(RelayOutcome.DRAINED);
      if (phase !== Phase.SERVING && tunnels.size === 0) return;
      reactor.turn(WAIT_MS);
    }
  }

  private sweepLater(): void {
    this.context.reactor.timers.after(SWEEP_MS, () => {
      this.sweep();
      this.sweepLater();
    });
  }

  private sweep(): void {
    const { tunnels, reactor } = this.context;
    const { admission, policy } = this.context.relay;
    const idleSinceMs = reactor.nowMs - policy.limits.idleMs;
    for (const tunnel of tunnels) {
      if (!tunnel.isCarrying) continue;
      if (!admission.admits(tunnel.source)) tunnel.end(RelayOutcome.REVOKED);
      else if (tunnel.activeAtMs < idleSinceMs) tunnel.end(RelayOutcome.IDLE);
    }
  }

  private resolve(name: Uint8Array, done: Resolved): () => void {
    const id = this.nextId++;
    this.pending.set(id, done);
    send({ kind: 'resolve', id, name });
    return () => this.pending.delete(id);
  }

  private readMail(): void {
    const { event, mail } = this.data;
    clearEvent(event);
    for (let next = receiveMessageOnPort(mail); next !== undefined; next = receiveMessageOnPort(mail)) {
      this.take(next.message as ToThread);
    }
  }

  private take(message: ToThread): void {
    if (message.kind === 'resolved') {
      const done = this.pending.get(message.id);
      this.pending.delete(message.id);
      done?.(message.addresses);
    } else if (message.kind === 'update') {
      this.context.relay.update(message.update);
      send({ kind: 'attached' });
    }
  }
}

function send(message: FromThread): void {
  parentPort!.postMessage(message);
}

new RelayThread(workerData as RelayThreadData).run();
