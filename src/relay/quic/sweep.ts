import { RelayOutcome } from '../counters.ts';
import type { QuicContext } from './quic-context.ts';

/** Interval for ending connections that are idle or whose registration ended. */
export const SWEEP_MS = 400;
/** Idle limit while draining: QUIC's end is encrypted and only its silence shows. */
const DRAIN_IDLE_MS = 3000;

/** Ends connections that are idle or whose source is no longer registered. */
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
