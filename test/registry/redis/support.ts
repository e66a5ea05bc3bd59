import { randomBytes } from 'node:crypto';
import { makeId } from '../../../src/registry/ids.ts';
import type { KnownPosition, PositionKeeper, StoreNews } from '../../../src/registry/store/redis/state.ts';
import type { RedisStore } from '../../../src/registry/store/redis/store.ts';
import { type OpenRedisOptions, openRedisStore } from '../../../src/registry/store/redis.ts';

/** What a control knows of its store, kept in memory. */
export class MemoryKeeper implements PositionKeeper {
  known: KnownPosition | null = null;
  keep(known: KnownPosition): void {
    this.known = known;
  }
}

export class NewsRecorder implements StoreNews {
  readonly lines: string[] = [];
  state(state: string, reason: string | null): void {
    this.lines.push(reason === null ? state : `${state} ${reason}`);
  }
  warning(code: string): void {
    this.lines.push(`warning ${code}`);
  }
}

export function openTestStore(url: string, options: Partial<OpenRedisOptions> = {}): Promise<RedisStore> {
  return openRedisStore({
    url,
    keeper: new MemoryKeeper(),
    news: new NewsRecorder(),
    makeId: () => makeId(randomBytes),
    ...options,
  });
}
