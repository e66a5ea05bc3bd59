import { PROBE_OUTCOMES, type ProbeOutcome, type ProbeReport } from './probe-outcome.ts';

/** Results in a row that change a relay's state. */
export interface Thresholds {
  readonly fall: number;
  readonly rise: number;
}

/**
 * True if a relay drains. The address that heard from it last decides, because the others may be unreachable
 * from here.
 */
export function drains(addresses: readonly AddressHealth[]): boolean {
  const heard = addresses.filter(({ heardAtMs }) => heardAtMs !== null);
  return heard.toSorted((a, b) => b.heardAtMs! - a.heardAtMs!)[0]?.isDraining ?? false;
}

/** Results of probing one address of a relay. Up until probes say otherwise. */
export class AddressHealth {
  isUp = true;
  /** True once the relay asks to be taken out of the answers. */
  isDraining = false;
  /** Time of the last successful handshake, or of the first look. */
  lastGoodAtMs: number;
  /** Time of the last handshake or drain notice at this address; null before the first. */
  heardAtMs: number | null = null;
  /** Time of the last change of isUp or isDraining. */
  sinceMs: number;
  /** Result of the latest probe; null before the first. */
  latest: ProbeOutcome | null = null;
  /** Duration of the latest handshake; null before the first. */
  handshakeMs: number | null = null;
  /** Probes by outcome, in the order of PROBE_OUTCOMES. */
  readonly counts = PROBE_OUTCOMES.map(() => 0);
  private successes = 0;
  private failures = 0;

  constructor(nowMs: number) {
    this.lastGoodAtMs = nowMs;
    this.sinceMs = nowMs;
  }

  /** True between up and down: the address should be probed again soon. */
  get isInDoubt(): boolean {
    return this.isUp ? this.failures > 0 : this.successes > 0;
  }

  /** Records a probe's report. @returns true if isUp or isDraining changed */
  note({ outcome, milliseconds }: ProbeReport, { fall, rise }: Thresholds, nowMs: number): boolean {
    const { isUp, isDraining } = this;
    this.counts[PROBE_OUTCOMES.indexOf(outcome)]++;
    this.latest = outcome;
    if (outcome === 'untried') return false;
    // A draining relay is alive, and stays drained until it says otherwise, even while it is down.
    if (outcome === 'draining') this.isDraining = true;
    if (outcome === 'ok' || outcome === 'draining') {
      this.heardAtMs = nowMs;
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
