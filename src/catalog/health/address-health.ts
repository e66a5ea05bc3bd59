import { PROBE_OUTCOMES, type ProbeOutcome, type ProbeReport } from './probe-outcome.ts';

/** How many in a row change what is held of a relay. */
export interface Thresholds {
  readonly fall: number;
  readonly rise: number;
}

/**
 * Whether a relay is one that drains, by what was found of its addresses: the one that had the last say counts, as the
 * others may not be reached from here.
 */
export function drains(addresses: readonly AddressHealth[]): boolean {
  const said = addresses.filter(({ saidAtMs }) => saidAtMs !== null);
  return said.toSorted((a, b) => b.saidAtMs! - a.saidAtMs!)[0]?.isDraining ?? false;
}

/** What probes have found of one address of a relay. It counts as up until they say otherwise. */
export class AddressHealth {
  isUp = true;
  /** Whether the relay says that it is to be given no more. */
  isDraining = false;
  /** When it last let a handshake through, or was first looked at. */
  lastGoodAtMs: number;
  /** When the relay last had a say at this address, by a handshake or that it drains; null before the first. */
  saidAtMs: number | null = null;
  /** When isUp or isDraining last changed. */
  sinceMs: number;
  /** What the latest probe found; null before the first. */
  latest: ProbeOutcome | null = null;
  /** How long the latest handshake took; null before the first. */
  handshakeMs: number | null = null;
  /** Probes by their outcome, in the order of PROBE_OUTCOMES. */
  readonly counts = PROBE_OUTCOMES.map(() => 0);
  private successes = 0;
  private failures = 0;

  constructor(nowMs: number) {
    this.lastGoodAtMs = nowMs;
    this.sinceMs = nowMs;
  }

  /** Whether it is between up and down, so that it should be probed again soon. */
  get isInDoubt(): boolean {
    return this.isUp ? this.failures > 0 : this.successes > 0;
  }

  /** Takes a probe's report. @returns whether isUp or isDraining has changed */
  note({ outcome, milliseconds }: ProbeReport, { fall, rise }: Thresholds, nowMs: number): boolean {
    const { isUp, isDraining } = this;
    this.counts[PROBE_OUTCOMES.indexOf(outcome)]++;
    this.latest = outcome;
    if (outcome === 'untried') return false;
    // A relay that drains is alive, and stays drained until it says otherwise, also while it is off.
    if (outcome === 'draining') this.isDraining = true;
    if (outcome === 'ok' || outcome === 'draining') {
      this.saidAtMs = nowMs;
      this.failures = 0;
      this.successes++;
      if (this.successes >= rise) this.isUp = true;
    } else {
      this.successes = 0;
      this.failures++;
      if (this.failures >= fall) this.isUp = false;
    }
    if (outcome === 'ok') {
      this.isDraining = false;
      this.lastGoodAtMs = nowMs;
      this.handshakeMs = milliseconds;
    }
    const hasChanged = isUp !== this.isUp || isDraining !== this.isDraining;
    if (hasChanged) this.sinceMs = nowMs;
    return hasChanged;
  }
}
