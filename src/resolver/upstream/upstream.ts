import type { UpstreamQuery } from '../query.ts';

/** Reason why an exchange ended without a reply. */
export type UpstreamError =
  /** ICMP error, refused or broken connection. */
  | 'unreachable'
  /** The connection ended, and so did a fresh one. */
  | 'closed'
  /** A connection brought a message that was not a reply to the question. */
  | 'malformed'
  /** So many false replies that someone must be forging them. */
  | 'flooded';

/** Waits for the reply to one query. */
export interface ReplyListener {
  /**
   * A message from the upstream with the query's ID. Valid during the call only; may be written to.
   * @returns true if it was taken, which ends the exchange; false: keep waiting
   */
  reply(message: Uint8Array, length: number): boolean;
  /** The exchange ended without a reply. Never called from within `ask`. */
  failed(error: UpstreamError): void;
}

/** A query that waits for its reply. */
export interface Exchange {
  /** Ends it without calling the listener. */
  cancel(): void;
}

/** One transport to a server. Knows nothing about questions and replies. */
export interface Upstream {
  /** True if someone who cannot see the query may have forged a reply (RFC 5452). */
  readonly mayBeSpoofed: boolean;
  /** True if no one on the way can read it; its queries are padded (RFC 8467). */
  readonly isEncrypted: boolean;
  /** Sends a query under an ID of its own. @returns null if there is no room for another */
  ask(query: UpstreamQuery, listener: ReplyListener): Exchange | null;
  /** Closes all sockets. Drops open exchanges silently. */
  close(): Promise<void>;
}
