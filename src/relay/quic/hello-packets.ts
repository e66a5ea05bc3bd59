import { HelloState } from '../hello/server-name.ts';
import { CryptoStream } from './crypto-stream.ts';
import { openInitial } from './initial.ts';
import { LongHeader, packetEnd } from './long-header.ts';

/** Reads the ClientHello from the datagrams that a connection begins with: its Initials, among packets of 0-RTT. */
export class HelloPackets {
  readonly stream = new CryptoStream();
  /** Whether an Initial of this connection was among them. */
  hasOpened = false;
  private readonly firstId: Uint8Array;
  private readonly header = new LongHeader();

  /** @param firstId the connection id that the client chose for the origin */
  constructor(firstId: Uint8Array) {
    this.firstId = firstId;
  }

  /** Takes the packets of a datagram; what is no Initial of this connection is passed over. */
  read(datagram: Buffer): HelloState {
    let state: HelloState = HelloState.PARTIAL;
    for (let at = 0; at < datagram.length && state === HelloState.PARTIAL; ) {
      if (!this.header.read(datagram, at, datagram.length)) break;
      const initial = openInitial(datagram, at, null);
      // RFC 9000, 12.2: what is coalesced with it is of the same connection.
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
