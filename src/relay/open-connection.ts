import { RelayOutcome } from './counters.ts';
import type { ClientSource } from './source.ts';

/** A connection as those see it who look all of them over. */
export interface OpenConnection {
  readonly source: ClientSource;
  /** Whether it leads to an origin. */
  readonly isCarrying: boolean;
  /** When something last moved in it. */
  readonly activeAtMs: number;
  end(outcome: RelayOutcome): void;
}

/**
 * Whether a connection that ends so is reset: bytes may have been on their way, and its peers must not take what
 * they got for the whole.
 */
export function isBrokenOff(outcome: RelayOutcome): boolean {
  return outcome >= RelayOutcome.RESET && outcome <= RelayOutcome.DRAINED;
}
