/** The store did not answer in time. */
export class FeedTimeoutError extends Error {
  readonly code = 'feed_timeout';

  constructor() {
    super('the store of the feed did not answer in time');
    this.name = 'FeedTimeoutError';
  }
}

/** The log lacks changes between the held position and its first entry. */
export class LogGapError extends Error {
  readonly code = 'log_gap';

  constructor() {
    super('the log lacks changes after the held position');
    this.name = 'LogGapError';
  }
}

/** The feed was closed while a snapshot was pending. */
export class FeedClosedError extends Error {
  readonly code = 'feed_closed';

  constructor() {
    super('the feed was closed');
    this.name = 'FeedClosedError';
  }
}

/** The feed is not connected to its store. */
export class FeedDisconnectedError extends Error {
  readonly code = 'feed_disconnected';

  constructor() {
    super('the feed is not connected to its store');
    this.name = 'FeedDisconnectedError';
  }
}
