import { ProbeNotice, writeProbeNotice } from '../net/index.ts';
import { RelayOutcome } from './counters.ts';

const NOTICES: ReadonlyMap<RelayOutcome, Uint8Array> = new Map([
  [RelayOutcome.DRAINING, writeProbeNotice(ProbeNotice.DRAINING)],
  [RelayOutcome.UNLISTED, writeProbeNotice(ProbeNotice.UNLISTED)],
  [RelayOutcome.UNRESOLVED, writeProbeNotice(ProbeNotice.UNRESOLVED)],
  [RelayOutcome.FORBIDDEN, writeProbeNotice(ProbeNotice.FORBIDDEN)],
  [RelayOutcome.UNREACHABLE, writeProbeNotice(ProbeNotice.UNREACHABLE)],
]);

/** What a probe is told of how its connection ends; null where there is nothing to tell. */
export function noticeOf(outcome: RelayOutcome): Uint8Array | null {
  return NOTICES.get(outcome) ?? null;
}
