/** The bytes are not a complete packed snapshot. A stale allowlist is served, a corrupt one never. */
export class SnapshotCorruptError extends Error {
  readonly code = 'snapshot_corrupt';

  /** @param reason never quotes the content */
  constructor(reason: string) {
    super(`the packed snapshot is corrupt: ${reason}`);
    this.name = 'SnapshotCorruptError';
  }
}

/** The packed snapshot has a version that this release does not read. */
export class SnapshotVersionUnknownError extends Error {
  readonly code = 'snapshot_version_unknown';
  readonly found: number;
  readonly expected: number;

  constructor(found: number, expected: number) {
    super(`the packed snapshot has format version ${found}; this release reads version ${expected}`);
    this.name = 'SnapshotVersionUnknownError';
    this.found = found;
    this.expected = expected;
  }
}
