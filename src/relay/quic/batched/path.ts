import { ENDPOINT_BYTES, type PacketBatch } from '../../../sys/index.ts';
import type { ClientPath } from '../context.ts';

/** The way back through a listener, from the address that was asked. */
export class BatchedPath implements ClientPath {
  readonly fd: number;
  /** As PacketBatch.readEndpoint gives it. */
  readonly endpoint = new Uint8Array(ENDPOINT_BYTES);
  private readonly own: PacketBatch;

  /**
   * @param own a batch for the relay's own datagrams
   * @param received the batch in whose `slot` the client's datagram is
   */
  constructor(fd: number, own: PacketBatch, received: PacketBatch, slot: number) {
    this.fd = fd;
    this.own = own;
    received.readEndpoint(slot, this.endpoint, 0);
  }

  send(datagram: Uint8Array): void {
    const { own } = this;
    own.data[0].set(datagram);
    own.lengths[0] = datagram.length;
    own.forwardTo(this.fd, 1, this.endpoint);
  }
}
