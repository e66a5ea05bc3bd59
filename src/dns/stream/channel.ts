/** The bytes of one connection, as a session writes them. */
export interface Channel {
  /** Bytes that were written and that the kernel has not taken. */
  readonly unsentBytes: number;
  /** Whether nothing goes either way any more. */
  readonly isClosed: boolean;
  /** Writes bytes, which may be used again after the call. */
  write(bytes: Uint8Array): void;
  /** Reads no more for now; what was read already may still come. */
  pause(): void;
  resume(): void;
  /** Ends this side when all has gone. */
  end(): void;
  /** Closes both when all has gone. */
  finish(): void;
  destroy(): void;
}

/** What a session hears from its channel. */
export interface ChannelReader {
  /** The first `length` bytes of `bytes` were read; they are valid during the call, and may be written to. */
  read(bytes: Uint8Array, length: number): void;
  /** All that was written has gone. */
  sent(): void;
  /** The peer has ended its side. */
  ended(): void;
}
