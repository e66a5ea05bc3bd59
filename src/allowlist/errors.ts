/** More distinct profiles at once than a profile number can tell apart. */
export class ProfileLimitReachedError extends Error {
  readonly code = 'profile_limit_reached';
  readonly limit: number;

  constructor(limit: number) {
    super(
      `The allowlist can hold ${limit} distinct profiles (region, services, families) at once, and all are taken or were until a moment ago`,
    );
    this.name = 'ProfileLimitReached';
    this.limit = limit;
  }
}

/** A prefix that no packet can come from (0.0.0.0, 255.255.255.255, ffff:...) or of a length that is not listed. */
export class PrefixNotListableError extends Error {
  readonly code = 'prefix_not_listable';

  constructor() {
    super(
      'The allowlist cannot hold this prefix: IPv4 /8 to /32, IPv6 /16 to /128, of addresses that hosts have',
    );
    this.name = 'PrefixNotListable';
  }
}

/** The snapshot is of the epoch that is served, but older than what is served. */
export class SnapshotOutdatedError extends Error {
  readonly code = 'snapshot_outdated';

  constructor(found: number, expected: number) {
    super(`The snapshot stands at change ${found}, behind change ${expected} of the same epoch`);
    this.name = 'SnapshotOutdated';
  }
}

/** The follower was stopped before the list was loaded. */
export class FollowerStoppedError extends Error {
  readonly code = 'follower_stopped';

  constructor() {
    super('The follower was stopped before the list was loaded');
    this.name = 'FollowerStopped';
  }
}

/** The last known list on disk is damaged, or is none. Stale is served, corrupt never. */
export class AllowlistFileCorruptError extends Error {
  readonly code = 'list_file_corrupt';

  /** `fault` never quotes the content. */
  constructor(fault: string) {
    super(`The last known list on disk is corrupt: ${fault}`);
    this.name = 'ListFileCorrupt';
  }
}

/** The last known list on disk was written by another release, in a format that this one does not read. */
export class AllowlistFileVersionUnknownError extends Error {
  readonly code = 'list_file_version_unknown';

  constructor(found: number, expected: number) {
    super(`The last known list on disk has format version ${found}; this release reads version ${expected}`);
    this.name = 'ListFileVersionUnknown';
  }
}
