/** What the cache makes of a reply that answers the question. */
export interface Answer {
  /** The cache's entry format. */
  readonly entry: Uint8Array;
  readonly ttlSeconds: number;
  readonly cacheable: boolean;
}

/** Who knows what a reply amounts to. */
export interface ReplyReader {
  /**
   * Makes an answer of a reply whose header and question are those asked for, or null if it is malformed. The
   * message is valid during the call only.
   */
  read(message: Uint8Array, length: number): Answer | null;
}
