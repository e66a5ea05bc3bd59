import { setTimeout as delay } from 'node:timers/promises';
import type { Source } from '../../net/index.ts';
import type { Answerer } from '../answerer.ts';
import { ClaimOutcome, type PrivateNames } from './claim.ts';

/** An address that was just registered reaches an edge in another process within some milliseconds. */
const ARRIVAL_MS = 2000;
const POLL_MS = 10;

/**
 * Claims a name for a source that is not registered, and waits for the address in this process's allowlist, so that the first
 * answer is steered.
 */
export async function claimAddress(
  names: PrivateNames,
  answerer: Answerer,
  { token, source }: { token: string; source: Source },
): Promise<ClaimOutcome> {
  const outcome = await names.claim({ token, source, isRegistered: false });
  if (outcome !== ClaimOutcome.REGISTERED) return outcome;
  for (let waited = 0; waited < ARRIVAL_MS && !answerer.admits(source); waited += POLL_MS)
    await delay(POLL_MS);
  return answerer.admits(source) ? outcome : ClaimOutcome.LIVE;
}
