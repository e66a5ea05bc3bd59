import type { RandomSource } from '../random.ts';

/** Waits for datagrams in reply to one that was sent. Messages are valid during the call only. */
export interface DatagramReceiver {
  /** A datagram from the upstream with the ID that was sent. @returns true if it ends the lease */
  datagram(message: Uint8Array, length: number): boolean;
  /** A datagram from the upstream to the same socket, with an ID that nobody waits for. */
  stray(message: Uint8Array, length: number): void;
  /** The datagram cannot arrive (ICMP, or no route). The lease is over. */
  unreachable(): void;
}

/** An ID on a socket, held while a reply is awaited. */
export interface DatagramLease {
  release(): void;
}

/**
 * Sockets on random ports to one upstream. A leased ID is unpredictable and unique on its socket; datagrams
 * from other addresses or ports are dropped.
 */
export interface DatagramPool {
  /**
   * Sends `message` after writing a fresh ID to its first two bytes. It must not change during the lease.
   * @returns null if sockets or IDs are used up, or the pool is closed
   */
  send(message: Uint8Array, receiver: DatagramReceiver): DatagramLease | null;
  /** Open sockets. */
  readonly openSockets: number;
  /** Closes all sockets. Resolves when the system has released them. */
  close(): Promise<void>;
}

/** Peer of a pool's sockets: an IP literal, with the zone of a link-local address. */
export interface DatagramRemote {
  readonly address: string;
  readonly family: 4 | 6;
  readonly port: number;
}

/** Makes pools for upstreams. What they share is closed after them. */
export interface DatagramPools {
  createPool(remote: DatagramRemote, random: RandomSource, now: () => number): DatagramPool;
  close(): Promise<void>;
}
