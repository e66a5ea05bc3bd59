import type { Relay } from '../relay.ts';
import { Condition, RelayConditions } from '../relay-condition.ts';
import type { AddressHealth } from './address-health.ts';

const FAMILIES = [4, 6] as const;

export interface KnownOfRelays {
  readonly relays: readonly Relay[];
  /** Probe results of a relay's address; null if it is not probed. */
  healthOf(relay: number, family: 4 | 6): AddressHealth | null;
  /** True if an operator drains it, on all edges or on this one. */
  isDrained(relay: number): boolean;
  /**
   * Addresses of a region and family whose last good probes are this close together count as having failed
   * together, because detection takes that long.
   */
  readonly togetherMs: number;
}

/** Derives the condition of each relay from probes and drains. */
export function conditionsOf(known: KnownOfRelays): RelayConditions {
  const { relays, healthOf, isDrained, togetherMs } = known;
  const conditions = new RelayConditions(relays.length);
  const latest = new Map<string, number>();
  const down: { index: number; family: 4 | 6; key: string; lastGoodAtMs: number }[] = [];
  for (const [index, relay] of relays.entries()) {
    for (const family of FAMILIES) {
      const health = healthOf(index, family);
      if (isDrained(index)) conditions.set(index, family, Condition.DRAINED);
      else if (health !== null && !health.isUp) {
        const { lastGoodAtMs } = health;
        const key = `${relay.region} ${family}`;
        down.push({ index, family, key, lastGoodAtMs });
        latest.set(key, Math.max(latest.get(key) ?? lastGoodAtMs, lastGoodAtMs));
      }
    }
  }
  for (const { index, family, key, lastGoodAtMs } of down) {
    const wentLast = lastGoodAtMs >= latest.get(key)! - togetherMs;
    conditions.set(index, family, wentLast ? Condition.LAST_GOOD : Condition.DOWN);
  }
  return conditions;
}
