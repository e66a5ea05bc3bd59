import type { RandomSource } from '../random.ts';

/** Who waits for datagrams in answer to one that was sent. Messages are valid during the call only. */
export interface DatagramReceiver {
  /** From the address and port that were asked, with the ID that was sent. @returns whether the lease is over. */
  datagram(message: Uint8Array, length: number): boolean;
  /** From the address and port that were asked, to the same socket, with an ID that nobody there waits for. */
  stray(message: Uint8Array, length: number): void;
  /** The network said that the datagram cannot arrive. The lease is over. */
  unreachable(): void;
}

/** An ID on a socket, held while a reply is waited for. */
export interface DatagramLease {
  release(): void;
}

/**
 * Sockets on random ports towards one server. An ID is unpredictable and unique on its socket while it is
 * leased; a datagram from any other address or port reaches nobody.
 */
export interface DatagramPool {
  /**
   * Sends `message` after writing a fresh ID into its first two bytes; it must not change before the lease
   * is over.
   * @returns null if sockets or IDs are used up, or the pool is closed.
   */
  send(message: Uint8Array, receiver: DatagramReceiver): DatagramLease | null;
  /** Sockets open now. */
  readonly openSockets: number;
  /** Closes all sockets; resolves when the system has them back. */
  close(): Promise<void>;
}

/** Whom a pool's sockets speak to: an IP literal, with its zone where it is link-local. */
export interface DatagramRemote {
  readonly address: string;
  readonly family: 4 | 6;
  readonly port: number;
}

/** Makes pools for upstreams; what they have in common is closed after them. */
export interface DatagramPools {
  createPool(remote: DatagramRemote, random: RandomSource, now: () => number): DatagramPool;
  close(): Promise<void>;
}
