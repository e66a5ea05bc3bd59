import { ENDPOINT_BYTES, type PacketBatch } from '../../sys/index.ts';

/** Return path to a client: its address, and the local address it sent to. */
export class ClientPath {
  readonly fd: number;
  /** In the form of PacketBatch.readEndpoint. */
  readonly endpoint = new Uint8Array(ENDPOINT_BYTES);
  private readonly own: PacketBatch;

  /**
   * @param own batch for datagrams that the relay itself sends
   * @param received batch that holds the client's datagram in `slot`
   */
  constructor(fd: number, own: PacketBatch, received: PacketBatch, slot: number) {
    this.fd = fd;
    this.own = own;
    received.readEndpoint(slot, this.endpoint, 0);
  }

  /** Sends a datagram of the relay's own. */
  send(datagram: Uint8Array): void {
    const { own } = this;
    own.data[0].set(datagram);
    own.lengths[0] = datagram.length;
    own.forwardTo(this.fd, 1, this.endpoint);
  }
}
