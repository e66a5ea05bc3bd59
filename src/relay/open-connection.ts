import { RelayOutcome } from './counters.ts';
import type { ClientSource } from './source.ts';

/** A connection as the sweep and shutdown see it. */
export interface OpenConnection {
  readonly source: ClientSource;
  /** True while connected to an origin. */
  readonly isCarrying: boolean;
  /** Time of the last byte in either direction. */
  readonly activeAtMs: number;
  end(outcome: RelayOutcome): void;
}

/**
 * Returns true for outcomes that reset the connection: bytes may have been in flight, and the peers must not
 * take what they got for the whole.
 */
export function isBrokenOff(outcome: RelayOutcome): boolean {
  return outcome >= RelayOutcome.RESET && outcome <= RelayOutcome.DRAINED;
}
