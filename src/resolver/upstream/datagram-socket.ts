/** A socket towards one server, on a port that the system drew at random. */
export interface DatagramSocket {
  /** The message is the caller's again when this returns. */
  send(message: Uint8Array): void;
  /** Resolves when the system has it back. Nothing is heard of it from the call on. */
  close(): Promise<void>;
}

/** Who is told what comes to a socket; never from within `open` or `send`. */
export interface DatagramSocketOwner {
  /** From the server's address and port. Valid during the call only, and may be written to. */
  received(message: Uint8Array, length: number): void;
  /** The network said that the server cannot be reached, or the socket is broken. */
  failed(): void;
}

/** @returns null where the system gives no socket, or knows no way to the server. */
export type OpenDatagramSocket = (owner: DatagramSocketOwner) => DatagramSocket | null;
