/** A socket to one upstream, on a random port that the system chose. */
export interface DatagramSocket {
  /** The message belongs to the caller again after the call. */
  send(message: Uint8Array): void;
  /** Resolves when the system has released it. The owner is not called any more. */
  close(): Promise<void>;
}

/** Receives what arrives at a socket. Never called from within `open` or `send`. */
export interface DatagramSocketOwner {
  /** A datagram from the upstream. Valid during the call only; may be written to. */
  received(message: Uint8Array, length: number): void;
  /** The upstream is unreachable, or the socket is broken. */
  failed(): void;
}

/**
 * Result of opening a socket that failed: NO_ROUTE if the network has no way to the upstream, NO_SOCKET if
 * this process is short of descriptors or memory.
 */
export const OpenFailure = { NO_ROUTE: 0, NO_SOCKET: 1 } as const;
export type OpenFailure = (typeof OpenFailure)[keyof typeof OpenFailure];

export type OpenDatagramSocket = (owner: DatagramSocketOwner) => DatagramSocket | OpenFailure;
