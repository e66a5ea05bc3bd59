import { EpollEvent, type PacketBatch } from '../../sys/index.ts';
import type { Handler, Reactor } from '../epoll/reactor.ts';
import type { Datagram } from './datagram.ts';
import type { QuicReceiver } from './quic-receiver.ts';
import type { UploadRun } from './upload-run.ts';

/** Batches that one listener's datagrams get before others have their turn. */
const BATCHES_PER_TURN = 4;

/** What the listeners of a thread handle. */
export interface ListenerTools {
  readonly reactor: Reactor;
  readonly receiver: QuicReceiver;
  /** Clients' datagrams are taken in it ... */
  readonly uploads: PacketBatch;
  /** ... and looked at by this one. */
  readonly datagram: Datagram;
  readonly run: UploadRun;
}

/** Takes a listener's datagrams. */
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
    // What fills its slot was cut.
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
