export { openRedisFeed, type RedisFeed, type RedisFeedOptions } from './redis-feed.ts';
export type { FeedPhase, RedisFeedState } from './state.ts';
