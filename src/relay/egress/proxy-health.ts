import { EGRESS_OUTCOMES, EgressOutcome } from './egress-outcome.ts';

/** Consecutive failures that take a proxy out. */
const MAX_FAILURES = 3;
const TURN_WORD = 0;
const FIRST_ROW = 1;
const IS_UP = 0;
const FAILURES = 1;
const COUNTS = 2;
const ROW_WORDS = COUNTS + EGRESS_OUTCOMES.length;

/**
 * Health and attempt counts of a pool's proxies, in memory that all threads share. A proxy that is down is
 * tried only if no other is left; a successful probe or try brings it back.
 */
export class ProxyHealth {
  readonly memory: SharedArrayBuffer;
  readonly count: number;
  private readonly words: Int32Array;

  /** @param memory of another ProxyHealth with the same count; absent: new, with all proxies down */
  constructor(count: number, memory?: SharedArrayBuffer) {
    this.count = count;
    this.memory = memory ?? new SharedArrayBuffer((FIRST_ROW + count * ROW_WORDS) * 4);
    this.words = new Int32Array(this.memory);
  }

  isUp(proxy: number): boolean {
    return Atomics.load(this.words, rowOf(proxy) + IS_UP) === 1;
  }

  /** Order in which one connection tries the proxies: those that are up first, round robin. */
  order(): number[] {
    const turn = Atomics.add(this.words, TURN_WORD, 1) >>> 0;
    const up: number[] = [];
    const down: number[] = [];
    for (let proxy = 0; proxy < this.count; proxy++) (this.isUp(proxy) ? up : down).push(proxy);
    return [...rotated(up, turn), ...rotated(down, turn)];
  }

  /**
   * Counts an attempt. An unreachable or forbidden origin says nothing about the proxy.
   * @param isProxyToBlame for TIMEOUT: the proxy was silent, not the origin
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

  /** Counts a failure, also of a proxy that called an origin unreachable which another proxy reached. */
  blame(proxy: number): void {
    const failures = Atomics.add(this.words, rowOf(proxy) + FAILURES, 1) + 1;
    if (failures >= MAX_FAILURES) Atomics.store(this.words, rowOf(proxy) + IS_UP, 0);
  }

  /** Stores a probe's result. One more failure takes a proxy that came back out again. */
  probed(proxy: number, isWell: boolean): void {
    Atomics.store(this.words, rowOf(proxy) + FAILURES, MAX_FAILURES - 1);
    Atomics.store(this.words, rowOf(proxy) + IS_UP, isWell ? 1 : 0);
  }

  /** Attempts with that outcome, modulo 2^32. */
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
