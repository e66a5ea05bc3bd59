import { parentPort, receiveMessageOnPort } from 'node:worker_threads';
import type { Address } from '../../net/index.ts';
import { clearEvent, EpollEvent } from '../../sys/index.ts';
import type { OwnConnection } from '../own-connection.ts';
import type { RelayContext } from '../relay-context.ts';
import type { Reactor } from './reactor.ts';
import {
  type FromThread,
  PHASE_WORD,
  type Phase,
  type ThreadMailData,
  type ToThread,
} from './thread-messages.ts';

type Resolved = (addresses: readonly Address[] | null) => void;

/**
 * Thread's side of its messaging. The thread never returns to Node's event loop: it reads the port when the
 * eventfd wakes it.
 */
export class ThreadMail {
  private readonly data: ThreadMailData;
  private readonly control: Int32Array;
  private readonly relay: RelayContext;
  private readonly pending = new Map<number, Resolved>();
  private nextId = 0;

  constructor(data: ThreadMailData, relay: RelayContext, reactor: Reactor) {
    this.data = data;
    this.control = new Int32Array(data.control);
    this.relay = relay;
    reactor.add(data.event, EpollEvent.IN, { ready: () => this.read() });
  }

  get phase(): Phase {
    return Atomics.load(this.control, PHASE_WORD) as Phase;
  }

  /** Reports that the thread serves. */
  ready(): void {
    send({ kind: 'ready' });
  }

  /** Asks the main thread's resolver. @returns a function that cancels the request */
  resolve(name: Uint8Array, done: Resolved): () => void {
    const id = this.nextId++;
    this.pending.set(id, done);
    send({ kind: 'resolve', id, name });
    return () => this.pending.delete(id);
  }

  /** Passes a connection for a name of our own on. */
  handOver(connection: OwnConnection): void {
    send({ kind: 'own', connection });
  }

  private read(): void {
    const { event, mail } = this.data;
    clearEvent(event);
    for (let next = receiveMessageOnPort(mail); next !== undefined; next = receiveMessageOnPort(mail)) {
      this.handleMessage(next.message as ToThread);
    }
  }

  private handleMessage(message: ToThread): void {
    if (message.kind === 'resolved') {
      const done = this.pending.get(message.id);
      this.pending.delete(message.id);
      done?.(message.addresses);
    } else {
      this.relay.update(message.update);
      send({ kind: 'attached' });
    }
  }
}

function send(message: FromThread): void {
  parentPort!.postMessage(message);
}
