import { EGRESS_OUTCOMES, EgressOutcome } from './egress-outcome.ts';

/** So many failures in a row take a proxy out. */
const MAX_FAILURES = 3;
const TURN_WORD = 0;
const FIRST_ROW = 1;
const IS_UP = 0;
const FAILURES = 1;
const COUNTS = 2;
const ROW_WORDS = COUNTS + EGRESS_OUTCOMES.length;

/**
 * How the proxies of a pool are, in memory that all threads handle: which are up, and what became of the attempts. One
 * that is down is tried when no other is left; what brings it back is a probe, or such a try that succeeded.
 */
export class ProxyHealth {
  readonly memory: SharedArrayBuffer;
  readonly count: number;
  private readonly words: Int32Array;

  /** @param memory of another ProxyHealth with as many; left out: new, with all of them down */
  constructor(count: number, memory?: SharedArrayBuffer) {
    this.count = count;
    this.memory = memory ?? new SharedArrayBuffer((FIRST_ROW + count * ROW_WORDS) * 4);
    this.words = new Int32Array(this.memory);
  }

  isUp(proxy: number): boolean {
    return Atomics.load(this.words, rowOf(proxy) + IS_UP) === 1;
  }

  /** The proxies in the order in which one connection tries them: those that are up first, by turns. */
  order(): number[] {
    const turn = Atomics.add(this.words, TURN_WORD, 1) >>> 0;
    const up: number[] = [];
    const down: number[] = [];
    for (let proxy = 0; proxy < this.count; proxy++) (this.isUp(proxy) ? up : down).push(proxy);
    return [...rotated(up, turn), ...rotated(down, turn)];
  }

  /**
   * Counts an attempt. That the origin does not answer, or may not be reached, says nothing about the proxy.
   * @param isProxyToBlame whether it was the proxy that was silent; of TIMEOUT alone
   */
  note(proxy: number, outcome: EgressOutcome, isProxyToBlame = true): void {
    Atomics.add(this.words, rowOf(proxy) + COUNTS + outcome, 1);
    if (outcome === EgressOutcome.CONNECTED) {
      Atomics.store(this.words, rowOf(proxy) + FAILURES, 0);
      Atomics.store(this.words, rowOf(proxy) + IS_UP, 1);
    } else if (outcome !== EgressOutcome.ORIGIN && outcome !== EgressOutcome.FORBIDDEN && isProxyToBlame) {
      this.blame(proxy);
    }
  }

  /** Notes a failure, as of a proxy that said of an origin, which another one reached, that it does not answer. */
  blame(proxy: number): void {
    const failures = Atomics.add(this.words, rowOf(proxy) + FAILURES, 1) + 1;
    if (failures >= MAX_FAILURES) Atomics.store(this.words, rowOf(proxy) + IS_UP, 0);
  }

  /** A probe has found it well, or not. The next failure of one that was brought back takes it out again. */
  probed(proxy: number, isWell: boolean): void {
    Atomics.store(this.words, rowOf(proxy) + FAILURES, MAX_FAILURES - 1);
    Atomics.store(this.words, rowOf(proxy) + IS_UP, isWell ? 1 : 0);
  }

  /** Attempts that ended so, modulo 2^32. */
  outcome(proxy: number, outcome: EgressOutcome): number {
    return Atomics.load(this.words, rowOf(proxy) + COUNTS + outcome) >>> 0;
  }
}

function rotated(proxies: readonly number[], turn: number): number[] {
  const first = turn % Math.max(proxies.length, 1);
  return [...proxies.slice(first), ...proxies.slice(0, first)];
}

function rowOf(proxy: number): number {
  return FIRST_ROW + proxy * ROW_WORDS;
}
