import { ProbeNotice, writeProbeNotice } from '../net/index.ts';
import { RelayOutcome } from './counters.ts';

const NOTICES: ReadonlyMap<RelayOutcome, Uint8Array> = new Map([
  [RelayOutcome.DRAINING, writeProbeNotice(ProbeNotice.DRAINING)],
  [RelayOutcome.UNLISTED, writeProbeNotice(ProbeNotice.UNLISTED)],
  [RelayOutcome.UNRESOLVED, writeProbeNotice(ProbeNotice.UNRESOLVED)],
  [RelayOutcome.FORBIDDEN, writeProbeNotice(ProbeNotice.FORBIDDEN)],
  [RelayOutcome.UNREACHABLE, writeProbeNotice(ProbeNotice.UNREACHABLE)],
]);

/** Notice that tells a probe how its connection ended; null for outcomes without one. */
export function noticeOf(outcome: RelayOutcome): Uint8Array | null {
  return NOTICES.get(outcome) ?? null;
}
