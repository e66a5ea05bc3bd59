export { useRedisPasswords } from '../connect.ts';
export type { FeedPhase, RedisFeedState } from './feed-state.ts';
export { openRedisFeed, type RedisFeed, type RedisFeedOptions } from './redis-feed.ts';
