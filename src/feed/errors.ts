/** The bytes are no packed snapshot, or not a whole one. Stale is served, corrupt never. */
export class SnapshotCorruptError extends Error {
  readonly code = 'snapshot_corrupt';

  /** `fault` says what was wrong and never quotes the content. */
  constructor(fault: string) {
    super(`The packed snapshot is corrupt: ${fault}`);
    this.name = 'SnapshotCorrupt';
  }
}

/** A packed snapshot of a version that this release does not read. */
export class SnapshotVersionUnknownError extends Error {
  readonly code = 'snapshot_version_unknown';
  readonly found: number;
  readonly expected: number;

  constructor(found: number, expected: number) {
    super(`The packed snapshot has format version ${found}; this release reads version ${expected}`);
    this.name = 'SnapshotVersionUnknown';
    this.found = found;
    this.expected = expected;
  }
}
