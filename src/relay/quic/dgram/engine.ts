import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import {
  type Address,
  formatAddress,
  ListenError,
  parseAddress,
  readWord,
  type SocketAddress,
} from '../../../net/index.ts';
import { RelayContext, type RelayUpdate } from '../../context.ts';
import { RelayOutcome } from '../../counters.ts';
import type { RelayEngine } from '../../engine.ts';
import type { OriginAddresses } from '../../origin-addresses.ts';
import { eventLoopTimers } from '../../timers.ts';
import { ConnectionTable } from '../connection-table.ts';
import type { ClientPath, OriginSocket, OriginUser, QuicContext, QuicMode } from '../context.ts';
import { Datagram } from '../datagram.ts';
import { HeldBudget } from '../held-datagrams.ts';
import type { QuicEngineOptions } from '../options.ts';
import { Receiver } from '../receiver.ts';
import { SWEEP_MS, sweep } from '../sweep.ts';
import { DatagramOrigin } from './origin.ts';

const RECEIVE_BUFFER_BYTES = 4 << 20;
const ZONE = /%.*$/;

/**
 * Carries QUIC by node:dgram, on the event loop, where there are no system calls for batches. A listener on every
 * address answers from the one that the system chooses: machines with several give each a listener of its own.
 */
export class DatagramQuicEngine implements RelayEngine, QuicContext {
  readonly name = 'streams';
  readonly addresses: SocketAddress[] = [];
  readonly relay: RelayContext;
  readonly mode: QuicMode;
  readonly table: ConnectionTable;
  readonly held = new HeldBudget();
  readonly after = eventLoopTimers;
  isDraining = false;
  private readonly options: QuicEngineOptions;
  private readonly receiver = new Receiver(this);
  private readonly datagram = new Datagram();
  private readonly sockets: Socket[] = [];
  private readonly sweeper: NodeJS.Timeout;
  private from: RemoteInfo | null = null;
  private onIdle: (() => void) | null = null;

  private constructor(options: QuicEngineOptions) {
    const { share, makeCounters, mode } = options;
    this.options = options;
    this.relay = new RelayContext({ ...share, counters: makeCounters().buffer });
    this.mode = mode;
    this.table = new ConnectionTable(this.relay.policy.seed);
    this.sweeper = setInterval(() => {
      sweep(this);
      if (this.table.all.size === 0) this.onIdle?.();
    }, SWEEP_MS).unref();
  }

  /** @throws ListenError; nothing stays open then. */
  static async start(options: QuicEngineOptions): Promise<DatagramQuicEngine> {
    const engine = new DatagramQuicEngine(options);
    try {
      for (const address of options.addresses) await engine.listen(address);
      return engine;
    } catch (error) {
      await engine.close();
      throw error;
    }
  }

  get nowMs(): number {
    return this.options.now();
  }

  resolve(name: Uint8Array, done: (addresses: OriginAddresses | null) => void): () => void {
    let isWaiting = true;
    void this.options.resolver.resolve(name).then((addresses) => {
      if (isWaiting) done(addresses);
    });
    return () => {
      isWaiting = false;
    };
  }

  open(address: Address, port: number, from: Address | null, user: OriginUser): OriginSocket {
    return new DatagramOrigin({ address, port, from }, user);
  }

  pathOf({ listener }: Datagram): ClientPath {
    const socket = this.sockets[listener];
    const { address, port } = this.from!;
    // An error is one of that datagram: it is lost, as on any network.
    return { send: (datagram) => socket.send(datagram, port, address, () => {}) };
  }

  async publish(update: RelayUpdate): Promise<void> {
    this.relay.update(update);
  }

  async drain(): Promise<void> {
    this.isDraining = true;
    if (this.table.all.size === 0) return;
    await new Promise<void>((resolve) => {
      this.onIdle = resolve;
    });
  }

  async close(): Promise<void> {
    clearInterval(this.sweeper);
    for (const connection of this.table.all) connection.end(RelayOutcome.DRAINED);
    const closed = this.sockets.splice(0).map((socket) => {
      socket.close();
      return once(socket, 'close');
    });
    await Promise.all(closed);
  }

  private async listen(at: SocketAddress): Promise<void> {
    const { family } = at.address;
    const socket = createSocket({ type: family === 4 ? 'udp4' : 'udp6', ipv6Only: family === 6 });
    socket.bind({ address: formatAddress(at.address), port: at.port, exclusive: true });
    try {
      await once(socket, 'listening');
    } catch (error) {
      socket.close();
      throw new ListenError('relay.quic', at, (error as NodeJS.ErrnoException).code ?? 'unknown');
    }
    socket.setRecvBufferSize(RECEIVE_BUFFER_BYTES);
    const index = this.sockets.push(socket) - 1;
    socket.on('error', () => {});
    socket.on('message', (bytes, from) => this.take(index, bytes, from));
    this.addresses.push({ address: at.address, port: socket.address().port });
  }

  private take(listener: number, bytes: Buffer, from: RemoteInfo): void {
    const address = parseAddress(from.address.replace(ZONE, ''));
    if (address === null) return;
    const { datagram } = this;
    this.from = from;
    datagram.bytes = bytes;
    datagram.length = bytes.length;
    datagram.listener = listener;
    datagram.family = address.family;
    datagram.port = from.port;
    for (let word = 0; word * 4 < address.bytes.length; word++) {
      datagram.words[word] = readWord(address.bytes, word * 4);
    }
    this.receiver.take(datagram);
  }
}
