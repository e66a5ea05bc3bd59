import type { Relay } from '../relay.ts';
import { Condition, RelayConditions } from '../relay-condition.ts';
import type { AddressHealth } from './address-health.ts';

const FAMILIES = [4, 6] as const;

export interface KnownOfRelays {
  readonly relays: readonly Relay[];
  /** What probes have found of a relay's address; null where it is not probed. */
  healthOf(relay: number, family: 4 | 6): AddressHealth | null;
  /** Whether an operator takes it out of the answers, of all edges or of this one. */
  isDrained(relay: number): boolean;
  /**
   * Addresses of a region and family that were good for the last time within so long of one another count as having
   * gone together: it takes that long until one that fails is held to be down.
   */
  readonly togetherMs: number;
}

/** How steering is to take each relay, by what is known of it. */
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
