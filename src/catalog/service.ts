/** A streaming service as its catalog file describes it. */
export interface Service {
  readonly service: string;
  readonly title: string;
  /** Where it may be taken from, the most usual first. */
  readonly regions: readonly string[];
  /** Canonical host names, each with all that is below it. */
  readonly names: readonly string[];
  /** Canonical host names, these alone. */
  readonly exact: readonly string[];
  /** False for what was written from knowledge rather than taken from a list. */
  readonly verified: boolean;
  /** Where the names come from, for people. */
  readonly source: string | null;
  /** The file it was read from, for faults. */
  readonly file: string;
}
