import type { OpenConnection } from '../open-connection.ts';
import type { ClientSource } from '../source.ts';
import type { Datagram } from './datagram.ts';

/** A QUIC connection as the table and the receiver see it; it breaks the import cycle with QuicConnection. */
export interface ClientConnection extends OpenConnection {
  readonly tuple: ClientTuple;
  /** SourceLimits' hash of the source. */
  readonly sourceHash: number;
  /** Idle limit. Until the client has shown that its address is real it is at most the handshake time. */
  readonly idleMs: number;
  /** Handles a datagram of the client. */
  handle(datagram: Datagram): void;
  /** Returns true if a short header begins with the id that the client used last. */
  hasCurrentId(datagram: Datagram): boolean;
  /** Remembers the id in a short header, so that the client is found by it after its NAT rebinds. */
  learnShortId(datagram: Datagram): void;
  /** Moves to a client's new address. The caller has admitted the source and counted it in. */
  follow(datagram: Datagram, source: ClientSource, sourceHash: number): void;
}

/** A client's address and listener, as ConnectionTable files them. */
export class ClientTuple {
  listener = 0;
  family: 4 | 6 = 4;
  readonly words = new Uint32Array(4);
  port = 0;
  hash = 0;
  /** The next older connection with the same hash. */
  next: ClientConnection | null = null;
  /** Connection ids that lead to the connection, oldest first. */
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

  private isSameHost({ family, words }: Datagram): boolean {
    if (this.words[0] !== words[0]) return false;
    if (family === 4) return true;
    return this.words[1] === words[1] && this.words[2] === words[2] && this.words[3] === words[3];
  }
}
