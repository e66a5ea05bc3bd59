import type { OpenConnection } from '../open-connection.ts';
import type { ClientSource } from '../source.ts';
import type { Datagram } from './datagram.ts';

/** A connection as those see it who find the one that a datagram belongs to. */
export interface ClientConnection extends OpenConnection {
  readonly tuple: ClientTuple;
  /** Its source's place among the limits. */
  readonly place: number;
  /** For how long nothing may move in it. Where its source may be forged, no longer than a handshake takes. */
  readonly idleMs: number;
  /** Takes a datagram of its client. */
  take(datagram: Datagram): void;
  /** Whether a short header begins with the id that the client used last. */
  hasCurrentId(datagram: Datagram): boolean;
  /** Learns the id that a short header begins with: its client uses it now, wherever its NAT lets it come from next. */
  learnShortId(datagram: Datagram): void;
  /** Goes on with a client that has come from elsewhere. The caller has admitted that source and counted it in. */
  follow(datagram: Datagram, source: ClientSource, place: number): void;
}

/** Where a connection's client is, as the table knows it. */
export class ClientTuple {
  listener = 0;
  family: 4 | 6 = 4;
  readonly words = new Uint32Array(4);
  port = 0;
  /** The hash that it is filed under. */
  hash = 0;
  /** The next connection with that hash: an older one. */
  next: ClientConnection | null = null;
  /** Ids that the connection is found by, the oldest first. */
  readonly ids: string[] = [];

  set({ listener, family, words, port }: Datagram): void {
    this.listener = listener;
    this.family = family;
    this.words.set(words);
    this.port = port;
  }

  matches(datagram: Datagram): boolean {
    return (
      this.port === datagram.port &&
      this.listener === datagram.listener &&
      this.family === datagram.family &&
      this.isSameHost(datagram)
    );
  }

  isSameHost({ family, words }: Datagram): boolean {
    if (this.family !== family || this.words[0] !== words[0]) return false;
    if (family === 4) return true;
    return this.words[1] === words[1] && this.words[2] === words[2] && this.words[3] === words[3];
  }
}
