import { createHmac, randomBytes } from 'node:crypto';
import { Cells, prefixHash } from '../rate-limit.ts';
import { type Claim, ClaimOutcome } from './claim.ts';

/** Asks the control. Rejects if it does not answer. */
export type AskControl = (claim: Pick<Claim, 'token' | 'source'>) => Promise<ClaimOutcome>;

export interface ClaimDeskOptions {
  readonly ask: AskControl;
  /** Secret seed of hashes. */
  readonly seed: number;
  /** The monotonic clock, in ms. */
  now(): number;
}

/** Claims of unregistered sources. Of one prefix (IPv4 /24, IPv6 /56): the devices of some homes that have just moved. */
const PREFIX_RATE = { perSecond: 5, burst: 40 };
/** Of all of them: each costs the store one look-up. */
const TOTAL_RATE = { perSecond: 500, burst: 2000 };
const PREFIX_CELLS = 4096;
/** Claims that the control is being asked about. */
const MAX_ASKING = 256;
/** A registered address is reported again after this time: the control counts a new address's hour by reports. */
const REPORT_MS = 5 * 60_000;
/** Another outcome may change at any time: a person switches home-only off, or makes room. */
const REMEMBER_MS = 20_000;
/** Outcomes remembered at once; the oldest is forgotten first. */
const MAX_REMEMBERED = 20_000;

interface Remembered {
  readonly outcome: ClaimOutcome;
  readonly atMs: number;
}

/**
 * Asks the control about private names, for all threads of a process: once for the same name and address within some time, and
 * within a budget for guesses. Remembers hashes with a random key, not names and addresses.
 */
export class ClaimDesk {
  private readonly options: ClaimDeskOptions;
  private readonly cells = new SharedArrayBuffer((PREFIX_CELLS + 1) * Float64Array.BYTES_PER_ELEMENT);
  private readonly prefixes = new Cells(this.cells, PREFIX_RATE);
  private readonly total = new Cells(this.cells, TOTAL_RATE);
  private readonly clock = new Float64Array(1);
  private readonly key = randomBytes(32);
  private readonly remembered = new Map<string, Remembered>();
  private readonly asking = new Map<string, Promise<ClaimOutcome>>();

  constructor(options: ClaimDeskOptions) {
    this.options = options;
  }

  /** Never rejects. */
  async claim(claim: Claim): Promise<ClaimOutcome> {
    const key = this.keyOf(claim);
    const known = this.recall(key, claim.isRegistered);
    if (known !== null) return known;
    const asked = this.asking.get(key);
    if (asked !== undefined) return asked;
    if (this.asking.size >= MAX_ASKING || !this.allows(claim)) return ClaimOutcome.BUSY;
    const outcome = this.ask(key, claim);
    this.asking.set(key, outcome);
    return outcome;
  }

  private async ask(key: string, claim: Claim): Promise<ClaimOutcome> {
    try {
      const outcome = await this.options.ask(claim);
      this.remembered.delete(key);
      this.remembered.set(key, { outcome, atMs: this.options.now() });
      if (this.remembered.size > MAX_REMEMBERED) this.remembered.delete(this.remembered.keys().next().value!);
      return outcome;
    } catch {
      return ClaimOutcome.BUSY;
    } finally {
      this.asking.delete(key);
    }
  }

  private recall(key: string, isRegistered: boolean): ClaimOutcome | null {
    const known = this.remembered.get(key);
    if (known === undefined) return null;
    const age = this.options.now() - known.atMs;
    // An unregistered source that was registered has lost it since: ask again.
    if (known.outcome === ClaimOutcome.REGISTERED)
      return isRegistered && age < REPORT_MS ? known.outcome : null;
    return age < REMEMBER_MS ? known.outcome : null;
  }

  /** Takes a claim from the budgets. Those of registered sources are few: a name each, at intervals. */
  private allows({ source, isRegistered }: Claim): boolean {
    if (isRegistered) return true;
    this.clock[0] = this.options.now();
    const cell = prefixHash(source.family, source.words, this.options.seed) & (PREFIX_CELLS - 1);
    return this.prefixes.take(cell, this.clock) && this.total.take(PREFIX_CELLS, this.clock);
  }

  private keyOf({ token, source: { family, words } }: Claim): string {
    const address = family === 4 ? [words[0]] : [words[0], words[1]];
    return createHmac('sha256', this.key)
      .update(`${token} ${address.join(' ')}`)
      .digest('base64');
  }
}
