import type { Redis } from 'ioredis';
import { StoreUnavailableError } from '../../errors.ts';

/** One WAIT; below a command's timeout. */
const WAIT_MS = 500;
/** Replicas may be far behind millions of accounts. */
const ATTEMPTS = 240;

/**
 * Waits until replicas have everything that was written so far; two minutes at most. For a bulk of writes, whose last one must
 * have been on this connection.
 *
 * @param what what was written, such as `the import`
 * @throws StoreUnavailableError if fewer replicas have it in time
 */
export async function waitForBulk(
  redis: Redis,
  replicas: number,
  what: string,
  attempts = ATTEMPTS,
): Promise<void> {
  for (let attempt = 0; replicas > 0; attempt++) {
    if ((await redis.wait(replicas, WAIT_MS)) >= replicas) return;
    if (attempt >= attempts)
      throw new StoreUnavailableError(
        `${what} is done, but fewer replicas of Redis than redis.waitReplicas have it: keep this primary until they follow it`,
      );
  }
}
