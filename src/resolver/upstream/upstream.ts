import type { UpstreamQuery } from '../query.ts';

/** Why an exchange ended without a reply that was taken. */
export type UpstreamError =
  /** The network said that nobody is there: ICMP, a refused or broken connection. */
  | 'unreachable'
  /** The connection ended, on a fresh one too. */
  | 'closed'
  /** What came over a connection was not a reply to the question. */
  | 'malformed'
  /** So many false replies came that a forger is at work. */
  | 'flooded';

/** Who waits for the reply to one query. */
export interface ReplyListener {
  /**
   * A message with the query's ID, from the upstream. It is valid during the call only, and may be written to.
   * @returns whether it was taken, which ends the exchange; false leaves the exchange waiting for another.
   */
  reply(message: Uint8Array, length: number): boolean;
  /** The exchange ended without a reply. Never called from within `ask`. */
  failed(fault: UpstreamError): void;
}

/** One query that waits for its reply. */
export interface Exchange {
  /** Ends it: the listener is not called any more. */
  cancel(): void;
}

/** A server to ask, by one transport. What it is asked and what the reply means is not its business. */
export interface Upstream {
  /** Whether a reply may have been forged by somebody who cannot see the query (RFC 5452). */
  readonly mayBeSpoofed: boolean;
  /** Whether nobody on the way can read it: then its queries are padded (RFC 8467). */
  readonly isEncrypted: boolean;
  /** Sends a query, under an ID of its own. @returns null if there is no room for another. */
  ask(query: UpstreamQuery, listener: ReplyListener): Exchange | null;
  /** Closes all sockets. Exchanges under way are dropped in silence. */
  close(): Promise<void>;
}
