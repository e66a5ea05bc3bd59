import { MessageChannel, type MessagePort, type Worker } from 'node:worker_threads';
import type { RelayCounters } from '../../metrics/index.ts';
import type { SocketAddress } from '../../net/index.ts';
import {
  closeSocket,
  listenTcp,
  localPort,
  openEvent,
  SystemCallError,
  signalEvent,
  startThread,
} from '../../sys/index.ts';
import type { RelayShare, RelayUpdate } from '../context.ts';
import type { RelayEngine } from '../engine.ts';
import { RelayListenError } from '../listen-error.ts';
import type { OriginResolver } from '../origin-resolver.ts';
import { type FromThread, PHASE_WORD, Phase, type RelayThreadData, type ToThread } from './worker-data.ts';

const BACKLOG = 4096;

export interface EpollEngineOptions {
  /** Listeners for TLS. */
  readonly addresses: readonly SocketAddress[];
  readonly threads: number;
  readonly share: Omit<RelayShare, 'counters'>;
  readonly resolver: OriginResolver;
  /** Makes the counters of a thread. */
  makeCounters(): RelayCounters;
  /** A thread ended by itself. */
  onFailure(error: Error): void;
}

interface RelayThreadHandle {
  readonly worker: Worker;
  readonly control: Int32Array;
  readonly mail: MessagePort;
  readonly event: number;
  readonly exited: Promise<void>;
  /** Publishers that wait for this thread. */
  readonly attaching: (() => void)[];
}

/** Carries TLS in threads of their own, each with a socket of its own for each listener. */
export class EpollEngine implements RelayEngine {
  readonly name = 'epoll';
  readonly addresses: SocketAddress[] = [];
  private readonly options: EpollEngineOptions;
  private readonly threads: RelayThreadHandle[] = [];
  private isEnding = false;

  private constructor(options: EpollEngineOptions) {
    this.options = options;
  }

  /** @throws RelayListenError; nothing stays open then. */
  static async start(options: EpollEngineOptions): Promise<EpollEngine> {
    const engine = new EpollEngine(options);
    const listeners: number[][] = [];
    try {
      for (const address of options.addresses) {
        const { port, fds } = openListeners(address, options.threads);
        listeners.push(fds);
        engine.addresses.push({ address: address.address, port });
      }
    } catch (error) {
      for (const fd of listeners.flat()) closeSocket(fd);
      throw error;
    }
    const indexes = Array.from({ length: options.threads }, (_, index) => index);
    await Promise.all(
      indexes.map((index) =>
        engine.startThread(
          index,
          listeners.map((fds) => fds[index]),
        ),
      ),
    );
    return engine;
  }

  async publish(update: RelayUpdate): Promise<void> {
    await Promise.all(
      this.threads.map(
        (thread) =>
          new Promise<void>((resolve) => {
            thread.attaching.push(resolve);
            post(thread, { kind: 'update', update });
            void thread.exited.then(resolve);
          }),
      ),
    );
  }

  async drain(): Promise<void> {
    this.enter(Phase.DRAINING);
    await Promise.all(this.threads.map(({ exited }) => exited));
  }

  async close(): Promise<void> {
    this.enter(Phase.STOPPING);
    await Promise.all(this.threads.map(({ exited }) => exited));
    for (const { event, mail } of this.threads.splice(0)) {
      closeSocket(event);
      mail.close();
    }
  }

  private enter(phase: number): void {
    this.isEnding = true;
    for (const thread of this.threads) {
      Atomics.store(thread.control, PHASE_WORD, phase);
      signalEvent(thread.event);
    }
  }

  private async startThread(index: number, listeners: readonly number[]): Promise<void> {
    const { share, threads, makeCounters, onFailure } = this.options;
    const control = new SharedArrayBuffer(4);
    const event = openEvent();
    const { port1, port2 } = new MessageChannel();
    const data: RelayThreadData = {
      ...share,
      control,
      mail: port2,
      event,
      listeners,
      connections: Math.ceil(share.policy.limits.connections / threads),
      counters: makeCounters().buffer,
    };
    const worker = startThread(new URL('./worker.ts', import.meta.url), {
      name: `relay-${index}`,
      workerData: data,
      transferList: [port2],
    });
    port1.unref();
    let ended = (): void => {};
    const exited = new Promise<void>((resolve) => {
      ended = resolve;
    });
    const thread: RelayThreadHandle = {
      worker,
      control: new Int32Array(control),
      mail: port1,
      event,
      exited,
      attaching: [],
    };
    this.threads.push(thread);
    worker.on('exit', ended);
    await new Promise<void>((resolve, reject) => {
      worker.on('message', (message: FromThread) => {
        if (message.kind === 'ready') resolve();
        else this.take(thread, message);
      });
      worker.on('error', (error) => {
        reject(error);
        if (!this.isEnding) onFailure(error);
      });
    });
  }

  private take(thread: RelayThreadHandle, message: FromThread): void {
    if (message.kind === 'attached') thread.attaching.shift()?.();
    else if (message.kind === 'resolve') {
      const { id, name } = message;
      void this.options.resolver.resolve(name).then((addresses) => {
        if (this.threads.includes(thread)) post(thread, { kind: 'resolved', id, addresses });
      });
    }
  }
}

function post(thread: RelayThreadHandle, message: ToThread): void {
  thread.mail.postMessage(message);
  signalEvent(thread.event);
}

/** A listener for each thread. A first one without SO_REUSEPORT finds out whether another process has the port. */
function openListeners(address: SocketAddress, threads: number): { port: number; fds: number[] } {
  const fds: number[] = [];
  try {
    const probe = listenTcp(address.address, address.port, 1, false);
    const port = localPort(probe);
    closeSocket(probe);
    for (let i = 0; i < threads; i++) fds.push(listenTcp(address.address, port, BACKLOG, true));
    return { port, fds };
  } catch (error) {
    for (const fd of fds) closeSocket(fd);
    if (error instanceof SystemCallError) throw new RelayListenError('tls', address, error.code);
    throw error;
  }
}
