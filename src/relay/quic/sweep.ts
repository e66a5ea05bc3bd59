import { RelayOutcome } from '../../metrics/index.ts';
import type { QuicContext } from './context.ts';

/** How often connections are looked over: whether their source is still registered, and whether they still move. */
export const SWEEP_MS = 400;
/** Once the process is about to stop: the end of a connection cannot be seen, as it is encrypted, but its silence can. */
const DRAIN_IDLE_MS = 3000;

/** Ends the connections whose source is not registered any more, and those in which nothing moves. */
export function sweep({ table, relay, nowMs, isDraining }: QuicContext): void {
  const { admission, policy } = relay;
  const { quicIdleMs } = policy.limits;
  const idleSinceMs = nowMs - (isDraining ? Math.min(DRAIN_IDLE_MS, quicIdleMs) : quicIdleMs);
  for (const connection of table.all) {
    const { isCarrying } = connection;
    if (!admission.admits(connection.source)) {
      connection.end(isCarrying ? RelayOutcome.REVOKED : RelayOutcome.UNREGISTERED);
    } else if (isCarrying && connection.activeAtMs < idleSinceMs) connection.end(RelayOutcome.IDLE);
  }
}
