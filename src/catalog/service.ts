import type { ServiceCheck } from './check/check.ts';
import type { Verification } from './verification.ts';

/** A streaming service as its catalog file describes it. */
export interface Service {
  readonly service: string;
  readonly title: string;
  /** Regions where it is available, the most common first. */
  readonly regions: readonly string[];
  /** Canonical host names, each with all names below it. */
  readonly names: readonly string[];
  /** Canonical host names, these alone. */
  readonly exact: readonly string[];
  readonly verified: Verification;
  /** Origin of the names, for people. */
  readonly source: string | null;
  /** Request that tells whether the service serves a relay; null: no check. */
  readonly check: ServiceCheck | null;
  /** File that it was read from, for findings. */
  readonly file: string;
}
