/**
 * Thread that carries QUIC: receives batches, finds connections and carries datagrams in one loop around
 * epoll_wait(2). There is only one, as the kernel spreads a port's datagrams by source address, which a
 * client's NAT may change.
 */
import { workerData } from 'node:worker_threads';
import type { Address } from '../../net/index.ts';
import { closeSocket, connectUdp, monotonicClock, PacketBatch } from '../../sys/index.ts';
import { RelayOutcome } from '../counters.ts';
import { Reactor } from '../epoll/reactor.ts';
import { ThreadMail } from '../epoll/thread-mail.ts';
import { Phase, type ThreadMailData } from '../epoll/thread-messages.ts';
import { RelayContext } from '../relay-context.ts';
import type { After } from '../timers.ts';
import { ClientPath } from './client-path.ts';
import { ConnectionTable } from './connection-table.ts';
import { Datagram } from './datagram.ts';
import { HeldBudget } from './held-datagrams.ts';
import { OriginSocket, type OriginTools, type OriginUser } from './origin-socket.ts';
import type { QuicContext, QuicMode } from './quic-context.ts';
import { type ListenerTools, QuicListener } from './quic-listener.ts';
import { QuicReceiver } from './quic-receiver.ts';
import type { QuicThreadData } from './quic-thread-data.ts';
import { SWEEP_MS, sweep } from './sweep.ts';
import { UploadRun } from './upload-run.ts';

const WAIT_MS = 1000;
const BATCH_SLOTS = 64;
/** QUIC datagrams fit Ethernet's MTU; longer ones are probes and may get lost. */
const SLOT_BYTES = 2048;
/** Room for an origin's datagrams while this thread is busy. */
const ORIGIN_BUFFER_BYTES = 1 << 20;

class QuicThread implements QuicContext {
  readonly relay: RelayContext;
  private readonly configuredMode: QuicMode;
  readonly table: ConnectionTable;
  readonly held = new HeldBudget();
  private readonly mail: ThreadMail;
  private readonly reactor: Reactor;
  private readonly listeners: readonly number[];
  private readonly uploads = new PacketBatch(BATCH_SLOTS, SLOT_BYTES, true);
  private readonly own = new PacketBatch(1, SLOT_BYTES, true);
  private readonly tools: OriginTools & ListenerTools;

  constructor(data: QuicThreadData & ThreadMailData) {
    this.relay = new RelayContext(data);
    this.configuredMode = data.mode;
    this.listeners = data.listeners;
    this.table = new ConnectionTable(this.relay.policy.seed);
    const reactor = new Reactor(monotonicClock());
    this.reactor = reactor;
    this.mail = new ThreadMail(data, this.relay, reactor);
    const { uploads, own } = this;
    this.tools = {
      reactor,
      receiver: new QuicReceiver(this),
      uploads,
      downloads: new PacketBatch(BATCH_SLOTS, SLOT_BYTES, true),
      own,
      run: new UploadRun(uploads),
      datagram: new Datagram(),
      limitsBytes: this.relay.limits.limitsBytes,
    };
    for (const [index, fd] of data.listeners.entries()) new QuicListener(this.tools, fd, index);
    this.sweepLater();
  }

  /** Proxies carry TCP only: past them a datagram would show this host's address. */
  get mode(): QuicMode {
    return this.relay.proxies === null ? this.configuredMode : 'refuse';
  }

  get isDraining(): boolean {
    return this.mail.phase !== Phase.SERVING;
  }

  get nowMs(): number {
    return this.reactor.nowMs;
  }

  get after(): After {
    return this.reactor.timers.after;
  }

  resolve: QuicContext['resolve'] = (name, done) => this.mail.resolve(name, done);

  open(address: Address, port: number, from: Address | null, user: OriginUser): OriginSocket | null {
    const { family, bytes } = address;
    const receiveBufferBytes = ORIGIN_BUFFER_BYTES;
    const fd = connectUdp({ family, address: bytes, port, from: from?.bytes ?? null, receiveBufferBytes });
    if (fd < 0) return null;
    try {
      return new OriginSocket(this.tools, fd, user);
    } catch {
      // fs.epoll.max_user_watches is exhausted; the descriptor is closed.
      return null;
    }
  }

  pathOf({ listener, slot }: Datagram): ClientPath {
    return new ClientPath(this.listeners[listener], this.own, this.uploads, slot);
  }

  run(): void {
    this.mail.ready();
    for (;;) {
      const { phase } = this.mail;
      if (phase === Phase.STOPPING) for (const open of this.table.all) open.end(RelayOutcome.DRAINED);
      if (phase !== Phase.SERVING && this.table.all.size === 0) break;
      this.reactor.turn(WAIT_MS);
    }
    for (const fd of this.listeners) closeSocket(fd);
  }

  private sweepLater(): void {
    this.reactor.timers.after(SWEEP_MS, () => {
      sweep(this);
      this.sweepLater();
    });
  }
}

new QuicThread(workerData as QuicThreadData & ThreadMailData).run();
