import { HelloState } from '../../net/hello/index.ts';
import { CryptoStream } from './crypto-stream.ts';
import { openInitial } from './initial.ts';
import { LongHeader, packetEnd } from './long-header.ts';

/**
 * Reads the ClientHello from a connection's first datagrams: its Initials, possibly between 0-RTT packets.
 */
export class HelloPackets {
  readonly stream = new CryptoStream();
  /** At least one Initial of this connection was decrypted. */
  hasOpened = false;
  private readonly firstId: Uint8Array;
  private readonly header = new LongHeader();

  /** @param firstId connection id that the client chose for the origin */
  constructor(firstId: Uint8Array) {
    this.firstId = firstId;
  }

  /** Reads a datagram's packets; skips all but Initials of this connection. */
  read(datagram: Buffer): HelloState {
    let state: HelloState = HelloState.PARTIAL;
    for (let at = 0; at < datagram.length && state === HelloState.PARTIAL; ) {
      if (!this.header.read(datagram, at, datagram.length)) break;
      const initial = openInitial(datagram, at, null);
      // Coalesced packets must belong to the same connection (RFC 9000 section 12.2).
      if (initial?.destinationId.equals(this.firstId)) {
        this.hasOpened = true;
        state = this.stream.read(initial.frames);
      }
      const end = packetEnd(this.header, datagram, datagram.length);
      if (end <= at) break;
      at = end;
    }
    return state;
  }
}
