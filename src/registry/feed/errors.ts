/** The store did not answer in time. */
export class FeedTimeoutError extends Error {
  readonly code = 'feed_timeout';

  constructor() {
    super('The store of the feed did not answer in time');
    this.name = 'FeedTimeout';
  }
}

/** The log lacks changes between what is known and what is there. */
export class LogGapError extends Error {
  readonly code = 'log_gap';

  constructor() {
    super('The log lacks changes that follow those that are known');
    this.name = 'LogGap';
  }
}

/** The feed was closed while its snapshot was waited for. */
export class FeedClosedError extends Error {
  readonly code = 'feed_closed';

  constructor() {
    super('The feed was closed');
    this.name = 'FeedClosed';
  }
}

/** There is no connection to the store of the feed. */
export class FeedDisconnectedError extends Error {
  readonly code = 'feed_disconnected';

  constructor() {
    super('There is no connection to the store of the feed');
    this.name = 'FeedDisconnected';
  }
}
