/** Writing side of one connection. */
export interface Channel {
  /** Bytes written that the kernel has not accepted yet. */
  readonly unsentBytes: number;
  readonly isClosed: boolean;
  /** Writes bytes; the caller may reuse their memory after the call. */
  write(bytes: Uint8Array): void;
  /** Stops reading. Bytes that were already received may still be delivered. */
  pause(): void;
  resume(): void;
  /** Ends our side once everything is sent. */
  end(): void;
  /** Closes the connection once everything is sent. */
  finish(): void;
  destroy(): void;
}

/** Receives the events of a channel. */
export interface ChannelReader {
  /** Receives `bytes[0, length)`, valid during the call. The reader may overwrite them. */
  read(bytes: Uint8Array, length: number): void;
  /** Everything written has been sent. */
  sent(): void;
  /** The peer has ended its side. */
  ended(): void;
}
