export { AnswerCache, type AnswerCacheOptions, type CacheStats, CacheWriter } from './cache.ts';
export {
  type BuiltEntry,
  buildEntry,
  DEFAULT_TTL_LIMITS,
  type TtlLimits,
} from './entry.ts';
export type { EntryRequest } from './entry-encoder.ts';
export {
  DOES_NOT_FIT,
  EntryReader,
  EntryScratch,
  EntryView,
  OVERTAKEN,
  renderEntry,
  STALE_TTL_SECONDS,
} from './entry-view.ts';
export { type CacheHandle, CacheSizeError } from './handle.ts';
export { keyFlags, keyHash } from './key.ts';
export { BAD_REPLY, NOT_PLAIN, PlainEntryBuilder } from './plain-entry.ts';
export { CacheReader, CacheResult } from './reader.ts';
