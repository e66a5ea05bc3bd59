import { RelayOutcome } from '../counters.ts';
import type { QuicContext } from './quic-context.ts';

/** How often connections are looked over: whether their source is still registered, and whether they still move. */
export const SWEEP_MS = 400;
/** Once the process is about to stop: the end of a connection cannot be seen, as it is encrypted, but its silence can. */
const DRAIN_IDLE_MS = 3000;

/** Ends the connections whose source is not registered any more, and those in which nothing moves. */
export function sweep({ table, relay, nowMs, isDraining }: QuicContext): void {
  const { admission } = relay;
  const mostIdleMs = isDraining ? DRAIN_IDLE_MS : Number.POSITIVE_INFINITY;
  for (const connection of table.all) {
    const { isCarrying, activeAtMs, idleMs } = connection;
    if (!admission.admits(connection.source)) {
      connection.end(isCarrying ? RelayOutcome.REVOKED : RelayOutcome.UNREGISTERED);
    } else if (isCarrying && nowMs - activeAtMs > Math.min(idleMs, mostIdleMs))
      connection.end(RelayOutcome.IDLE);
  }
}
