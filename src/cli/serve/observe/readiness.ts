import type { ReadinessCheck, RelayHealthSource } from '../../../metrics/scrape/index.ts';
import type { Registry } from '../../../registry/index.ts';
import type { ShieldView } from '../roles/shield.ts';
import type { Tables } from '../tables/tables.ts';
import type { ClockWatch } from './clock-watch.ts';

type Readiness = ReturnType<ReadinessCheck['check']>;

/** Not ready after a jump: new leases would get a wrong end. */
export function clockReadiness({ jumpSeconds }: ClockWatch): Readiness {
  if (jumpSeconds === 0) return { ready: true, state: 'trusted' };
  return { ready: false, state: 'jumped', detail: { jumpSeconds } };
}

/** @param hasRemote a process that follows Redis serves on without the store, and its allowlist answers for it */
export function storeReadiness(registry: Registry, hasRemote: boolean): Readiness {
  const { failed } = registry.status();
  return { ready: failed === null || hasRemote, state: failed ?? 'up' };
}

/**
 * State of the allowlist. With the embedded store the digest is left out: reading it before and after a registration
 * would let anyone find the registered address by trying all of them.
 */
export function allowlistReadiness({ follower, remote }: Tables): Readiness {
  const { phase, epoch, seq, entries, unapplied, digestCheck: digest } = follower.state;
  const detail = { epoch, seq, entries, ...(unapplied > 0 && { unapplied }) };
  if (unapplied > 0) return { ready: false, state: 'changes-not-applied', detail };
  if (remote === null) {
    return { ready: phase === 'following' || phase === 'reloading', state: phase, detail };
  }
  const { isReady, state, lagChanges, ageSeconds } = remote;
  return {
    ready: isReady,
    state,
    detail: { ...detail, digest, lagChanges, ageSeconds: Math.round(ageSeconds) },
  };
}

/** Informs only: without a shield an edge still serves, except in floods. */
export function shieldReadiness({ state, reason, engagements }: ShieldView): Readiness {
  return { ready: true, state, detail: { engagements, ...(reason !== null && { reason }) } };
}

/** Informs only: an edge without relays still resolves, and no other edge would have better ones. */
export function relayReadiness({ relayStatuses, relayWatch }: Tables): Readiness {
  const count = (wanted: string) => relayStatuses.filter(({ state }) => state === wanted).length;
  const regionsDown = relayWatch?.downRegions.size ?? 0;
  const down = count('down');
  const state = regionsDown > 0 ? 'region-down' : down > 0 ? 'relay-down' : 'up';
  return { ready: true, state, detail: { up: count('up'), down, drained: count('drained'), regionsDown } };
}

/** Health of an edge's relays, for metrics. */
export function relayHealth({ relayStatuses, relayWatch, catalog }: Tables): RelayHealthSource {
  const watch = relayWatch!;
  return {
    relays: relayStatuses,
    probes: [...watch.probes()],
    latenessMs: watch.isProbing ? watch.latenessMs : null,
    regions: catalog.regions.map(({ region }) => ({ region, isDown: watch.downRegions.has(region) })),
  };
}
