/** More distinct profiles in use than profile ids exist. */
export class ProfileLimitReachedError extends Error {
  readonly code = 'profile_limit_reached';
  readonly limit: number;

  constructor(limit: number) {
    super(
      `The allowlist can hold ${limit} distinct profiles (region, services, families) at once, and all ids are in use or were until a moment ago`,
    );
    this.name = 'ProfileLimitReachedError';
    this.limit = limit;
  }
}

/**
 * A prefix that the allowlist cannot hold: no packet comes from it (0.0.0.0, 255.255.255.255, ffff:...), or
 * its length is not supported.
 */
export class PrefixNotListableError extends Error {
  readonly code = 'prefix_not_listable';

  constructor() {
    super(
      'The allowlist cannot hold this prefix: IPv4 /8 to /32, IPv6 /16 to /128, of addresses that hosts can have',
    );
    this.name = 'PrefixNotListableError';
  }
}

/** A snapshot of the current epoch that is older than the served allowlist. */
export class SnapshotOutdatedError extends Error {
  readonly code = 'snapshot_outdated';

  constructor(found: number, expected: number) {
    super(`The snapshot stands at change ${found}, behind change ${expected} of the same epoch`);
    this.name = 'SnapshotOutdatedError';
  }
}

/** The follower was stopped before the allowlist was loaded. */
export class FollowerStoppedError extends Error {
  readonly code = 'follower_stopped';

  constructor() {
    super('The follower was stopped before the allowlist was loaded');
    this.name = 'FollowerStoppedError';
  }
}

/**
 * The last known allowlist on disk is damaged, or the file is something else. Stale data is served, damaged
 * data never.
 */
export class AllowlistFileCorruptError extends Error {
  readonly code = 'list_file_corrupt';

  /** @param cause never quotes the content */
  constructor(cause: string) {
    super(`The last known allowlist on disk is corrupt: ${cause}`);
    this.name = 'AllowlistFileCorruptError';
  }
}

/** The last known allowlist on disk has the format of another release. */
export class AllowlistFileVersionUnknownError extends Error {
  readonly code = 'list_file_version_unknown';

  constructor(found: number, expected: number) {
    super(
      `The last known allowlist on disk has format version ${found}; this release reads version ${expected}`,
    );
    this.name = 'AllowlistFileVersionUnknownError';
  }
}
