import { randomBytes } from 'node:crypto';
import { makeId } from '../../../src/registry/ids.ts';
import type { StoreEvents } from '../../../src/registry/store/events.ts';
import type { Position } from '../../../src/registry/store/position.ts';
import { type OpenRedisOptions, openRedisStore } from '../../../src/registry/store/redis/open.ts';
import type { RedisStore } from '../../../src/registry/store/redis/redis-store.ts';

/** The position that a control knows, kept in memory. */
export class MemoryPosition {
  known: Position | null = null;
  keep(known: Position): void {
    this.known = known;
  }
}

export class EventRecorder implements StoreEvents {
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
    positionFile: new MemoryPosition(),
    events: new EventRecorder(),
    makeId: () => makeId(randomBytes),
    ...options,
  });
}
