import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { closeSocket, openEvent, signalEvent, startThread } from '../../sys/index.ts';
import type { OriginResolver } from '../origin-resolver.ts';
import type { OwnConnection } from '../own-connection.ts';
import type { RelayUpdate } from '../relay-context.ts';
import {
  type FromThread,
  PHASE_WORD,
  type Phase,
  type ThreadMailData,
  type ToThread,
} from './thread-messages.ts';

export interface ThreadOptions<Data> {
  /** Module of the thread. */
  readonly entry: URL;
  readonly name: string;
  /** Data for the thread, without its messaging. */
  readonly data: Data;
  readonly resolver: OriginResolver;
  /** Takes connections for names of our own. */
  onOwn?(connection: OwnConnection): void;
  /** The thread ended by itself. */
  onFailure(error: Error): void;
}

/** Main thread's side of a thread that waits in epoll_wait(2). */
export class ThreadHandle {
  readonly exited: Promise<void>;
  private readonly control = new Int32Array(new SharedArrayBuffer(4));
  private readonly event = openEvent();
  private readonly mail: MessagePort;
  private readonly resolver: OriginResolver;
  private readonly onOwn: (connection: OwnConnection) => void;
  /** Publishers waiting for the thread's acknowledgement. */
  private readonly attaching: (() => void)[] = [];
  private isEnding = false;
  private hasExited = false;
  private readonly ready: Promise<void>;

  private constructor({ entry, name, data, resolver, onOwn, onFailure }: ThreadOptions<object>) {
    const { port1, port2 } = new MessageChannel();
    this.mail = port1;
    this.resolver = resolver;
    this.onOwn = onOwn ?? (({ fd }) => closeSocket(fd));
    const { buffer: control } = this.control;
    const mail: ThreadMailData = { control: control as SharedArrayBuffer, mail: port2, event: this.event };
    const worker = startThread(entry, { name, workerData: { ...data, ...mail }, transferList: [port2] });
    port1.unref();
    this.exited = new Promise((resolve) => {
      worker.on('exit', () => {
        this.hasExited = true;
        for (const done of this.attaching.splice(0)) done();
        resolve();
      });
    });
    this.ready = new Promise((resolve, reject) => {
      worker.on('message', (message: FromThread) => {
        if (message.kind === 'ready') resolve();
        else this.handleMessage(message);
      });
      worker.on('error', (error) => {
        reject(error);
        if (!this.isEnding) onFailure(error);
      });
    });
  }

  /** Resolves when the thread serves. */
  static async start<Data extends object>(options: ThreadOptions<Data>): Promise<ThreadHandle> {
    const thread = new ThreadHandle(options);
    await thread.ready;
    return thread;
  }

  /** Resolves when the thread uses the update, or has ended. */
  async publish(update: RelayUpdate): Promise<void> {
    if (this.hasExited) return;
    await new Promise<void>((resolve) => {
      this.attaching.push(resolve);
      this.post({ kind: 'update', update });
    });
  }

  enter(phase: Phase): void {
    this.isEnding = true;
    Atomics.store(this.control, PHASE_WORD, phase);
    signalEvent(this.event);
  }

  /** Frees the messaging of a thread that has ended. */
  close(): void {
    closeSocket(this.event);
    this.mail.close();
  }

  private handleMessage(message: FromThread): void {
    if (message.kind === 'attached') this.attaching.shift()?.();
    else if (message.kind === 'own') this.onOwn(message.connection);
    else if (message.kind === 'resolve') {
      const { id, name } = message;
      void this.resolver.resolve(name).then((addresses) => this.post({ kind: 'resolved', id, addresses }));
    }
  }

  private post(message: ToThread): void {
    // The descriptor may have been reused since.
    if (this.hasExited) return;
    this.mail.postMessage(message);
    signalEvent(this.event);
  }
}
