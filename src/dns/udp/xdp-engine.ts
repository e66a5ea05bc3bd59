import type { SocketAddress } from '../../net/index.ts';
import {
  type NetworkInterface,
  readInterface,
  XdpError,
  type XdpMode,
  XdpProgram,
  XdpSocket,
  type XdpStatistics,
} from '../../sys/xdp/index.ts';
import { MAX_UDP_REPLY_BYTES } from '../answer/query-state.ts';
import type { TableUpdate } from '../table-update.ts';
import { MmsgEngine, type MmsgEngineOptions } from './mmsg-engine.ts';
import type { ShieldSocket } from './shield/index.ts';
import type { UdpEngine, XdpStatus } from './udp-engine.ts';
import type { XdpThreadData } from './udp-thread-data.ts';
import { UdpThreads } from './udp-threads.ts';
import { xdpTargets } from './xdp-targets.ts';

/** IPv6 and UDP headers before the longest reply. */
const LEAST_MTU = MAX_UDP_REPLY_BYTES + 48;
/** Longer frames go to the sockets. No query is longer, and a frame has 1,792 bytes of memory. */
const MAX_FRAME_BYTES = 1600;
/** Threads for the sockets, which get what the program passes. */
const SOCKET_THREADS = 1;

export interface XdpEngineOptions extends MmsgEngineOptions {
  /** Name of the network interface. */
  readonly interface: string;
  /** Modes to try, in order. */
  readonly modes: readonly XdpMode[];
  /** Number of receive queues to serve, from the first on; null: all of them. */
  readonly queues: number | null;
}

/**
 * Threads that take queries from the receive queues of a network interface by AF_XDP, past the kernel's sockets, and
 * write answers there. A program at the interface picks packets to our listeners; others reach ordinary sockets on
 * the same addresses, which also send the answers to deferred queries.
 */
export class XdpEngine implements UdpEngine {
  readonly name = 'af-xdp';
  private readonly options: XdpEngineOptions;
  private readonly mmsg: MmsgEngine;
  private readonly threads: UdpThreads;
  private program: XdpProgram | null = null;
  private readonly queues: XdpSocket[] = [];

  private constructor(options: XdpEngineOptions, mmsg: MmsgEngine) {
    this.options = options;
    this.mmsg = mmsg;
    this.threads = new UdpThreads(options);
  }

  /**
   * Binds the sockets, then serves the queues.
   * @throws ListenError, XdpError, leaving nothing open
   */
  static async start(options: XdpEngineOptions): Promise<XdpEngine> {
    const on = readInterface(options.interface);
    checkInterface(on, options.queues);
    const mmsg = await MmsgEngine.start({ ...options, workers: SOCKET_THREADS });
    const engine = new XdpEngine(options, mmsg);
    try {
      await engine.serve(on);
      return engine;
    } catch (error) {
      await engine.stop();
      await engine.close();
      throw error;
    }
  }

  get addresses(): readonly SocketAddress[] {
    return this.mmsg.addresses;
  }

  /** Empty: packets in the rings pass by a filter on the sockets. */
  get sockets(): readonly ShieldSocket[] {
    return [];
  }

  get xdp(): XdpStatus {
    const zeroCopy = this.queues.every(({ handle }) => handle.zeroCopy);
    return {
      interface: this.options.interface,
      mode: zeroCopy ? 'zero-copy' : this.program!.mode,
      queues: this.queues.length,
      drops: () => total(this.queues.map((queue) => queue.statistics())),
    };
  }

  async publish(update: TableUpdate): Promise<void> {
    await Promise.all([this.threads.publish(update), this.mmsg.publish(update)]);
  }

  /** Detaches the program first, so that the sockets get everything and the rings run dry. */
  async stop(): Promise<void> {
    this.program?.detach();
    await this.threads.stop();
    await this.mmsg.stop();
  }

  async close(): Promise<void> {
    for (const queue of this.queues) queue.close();
    await this.mmsg.close();
  }

  /**
   * Attaches the program before the queues, as some drivers need it, and starts each thread before its queue gets
   * packets.
   */
  private async serve(on: NetworkInterface): Promise<void> {
    const { options, queues } = this;
    const targets = xdpTargets(on.name, this.addresses);
    const program = XdpProgram.attach(on, targets, MAX_FRAME_BYTES, options.modes);
    this.program = program;
    const count = options.queues ?? on.queues;
    for (let queue = 0; queue < count; queue++) queues.push(new XdpSocket(on, queue, program.mode));
    const threads = Math.min(count, options.workers);
    const entry = new URL('./xdp-worker.ts', import.meta.url);
    await Promise.all(
      Array.from({ length: threads }, (_, thread) => {
        const sockets = queues.filter((_, queue) => queue % threads === thread).map(({ handle }) => handle);
        const own: XdpThreadData = { sockets, targets };
        return this.threads.start(entry, `xdp-${thread}`, own, this.mmsg.replySockets!);
      }),
    );
    for (const [queue, { handle }] of queues.entries()) program.serve(queue, handle.fd);
  }
}

function checkInterface(on: NetworkInterface, queues: number | null): void {
  if (on.mtu < LEAST_MTU) {
    throw new XdpError(`the interface "${on.name}" has an MTU of ${on.mtu}, and ${LEAST_MTU} is the least`);
  }
  if (queues !== null && queues > on.queues) {
    throw new XdpError(`the interface "${on.name}" has ${on.queues} receive queues, not ${queues}`);
  }
}

function total(queues: readonly XdpStatistics[]): XdpStatistics {
  const sum = (pick: (queue: XdpStatistics) => number) =>
    queues.reduce((count, queue) => count + pick(queue), 0);
  return {
    dropped: sum(({ dropped }) => dropped),
    ringFull: sum(({ ringFull }) => ringFull),
    fillEmpty: sum(({ fillEmpty }) => fillEmpty),
    invalid: sum(({ invalid }) => invalid),
  };
}
