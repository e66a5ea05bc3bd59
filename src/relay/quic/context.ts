import type { Address } from '../../net/index.ts';
import type { RelayContext } from '../context.ts';
import type { OriginAddresses } from '../origin-addresses.ts';
import type { After } from '../timers.ts';
import type { ConnectionTable } from './connection-table.ts';
import type { Datagram } from './datagram.ts';
import type { HeldBudget } from './held-datagrams.ts';

/** What becomes of QUIC: it is carried, or its clients are told at once to come by TCP. */
export type QuicMode = 'carry' | 'refuse';

/** The way back to a client: from the address that it asked to the one that it asked from. */
export interface ClientPath {
  /** Sends a datagram of the relay's own. */
  send(datagram: Uint8Array): void;
}

/** A UDP socket that is connected to an origin. What comes from there goes on by the path that its user names. */
export interface OriginSocket {
  send(datagram: Datagram): void;
  /** Sends one that was held. */
  replay(datagram: Uint8Array): void;
  close(): void;
}

/** Whose socket it is. */
export interface OriginUser {
  /** The way that the origin's datagrams take. */
  readonly path: ClientPath;
  /** The first datagram has come, and waits to be carried. */
  answered(): void;
  /** Before that an error came, such as a refusal by ICMP. */
  failed(): void;
  /** A datagram in bytes[0, length) is about to be carried. */
  received(bytes: Uint8Array, length: number): void;
  /** Counts what was carried. @returns whether the source has had its share of bytes: nothing is read for a while then. */
  mustRest(): boolean;
}

/** What the connections of an engine work with. */
export interface QuicContext {
  readonly relay: RelayContext;
  readonly mode: QuicMode;
  readonly table: ConnectionTable;
  readonly held: HeldBudget;
  /** New connections are refused: the process is about to stop. */
  readonly isDraining: boolean;
  /** The time of this turn. */
  readonly nowMs: number;
  readonly after: After;
  /** Asks the relay's resolver. @returns what cancels it */
  resolve(name: Uint8Array, done: (addresses: OriginAddresses | null) => void): () => void;
  /**
   * Opens a socket to an origin.
   * @param from null: the system chooses
   * @returns null where that fails at once
   */
  open(address: Address, port: number, from: Address | null, user: OriginUser): OriginSocket | null;
  /** The way back to where a datagram came from. */
  pathOf(datagram: Datagram): ClientPath;
}
