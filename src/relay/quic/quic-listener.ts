import { EpollEvent, type PacketBatch } from '../../sys/index.ts';
import type { Handler, Reactor } from '../epoll/reactor.ts';
import type { Datagram } from './datagram.ts';
import type { QuicReceiver } from './quic-receiver.ts';
import type { UploadRun } from './upload-run.ts';

/** Batches of one listener before others get their turn. */
const BATCHES_PER_TURN = 4;

/** State that a thread's listeners share. */
export interface ListenerTools {
  readonly reactor: Reactor;
  readonly receiver: QuicReceiver;
  /** Batch that clients' datagrams are received in. */
  readonly uploads: PacketBatch;
  /** View of one slot of it. */
  readonly datagram: Datagram;
  readonly run: UploadRun;
}

/** Receives a listener's datagrams. */
export class QuicListener implements Handler {
  private readonly tools: ListenerTools;
  private readonly fd: number;
  private readonly index: number;

  constructor(tools: ListenerTools, fd: number, index: number) {
    this.tools = tools;
    this.fd = fd;
    this.index = index;
    tools.reactor.add(fd, EpollEvent.IN, this);
  }

  ready(): void {
    const { uploads, run } = this.tools;
    for (let i = 0; i < BATCHES_PER_TURN; i++) {
      const count = uploads.receive(this.fd, false);
      for (let slot = 0; slot < count; slot++) this.take(slot);
      run.flush();
      if (count < uploads.slots) return;
    }
  }

  private take(slot: number): void {
    const { uploads, datagram, receiver } = this.tools;
    // A full slot means a truncated datagram.
    if (uploads.lengths[slot] === uploads.slotBytes) return;
    datagram.bytes = uploads.data[slot];
    datagram.length = uploads.lengths[slot];
    datagram.slot = slot;
    datagram.listener = this.index;
    datagram.family = uploads.families[slot] as 4 | 6;
    datagram.port = uploads.ports[slot];
    for (let word = 0; word < 4; word++) datagram.words[word] = uploads.addresses[slot * 4 + word];
    receiver.handle(datagram);
  }
}
