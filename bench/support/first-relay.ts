/**
 * When each of several edges first gives the relay to an address that was registered a moment ago. A thread asks: it
 * sleeps while nobody waits, and asks the longer an edge takes the less often (after 1 ms, then after an eighth
 * of the time so far), so that it does not take the processor from the edges it measures. A time is so at most an
 * eighth too long, never too short.
 */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { closeSocket, monotonicClock, openEvent, signalEvent } from '../../src/sys/index.ts';

/** State shared by the thread and its owner. */
export interface FirstRelayShare {
  readonly name: string;
  readonly ports: readonly number[];
  /** Number of addresses. */
  readonly total: number;
  /** [0]: how many of them are registered; [1]: how many are served everywhere, or given up; then their numbers. */
  readonly counts: SharedArrayBuffer;
  /** Of each address, by the monotonic clock: when it was registered. */
  readonly sinceMs: SharedArrayBuffer;
  /** Of each address and each edge in turn: milliseconds until the first relay answer; NaN: none came. */
  readonly delaysMs: SharedArrayBuffer;
  /** Wakes the thread. */
  readonly event: number;
}

/** The n-th address: 127.100.0.0 and on, one /24 after another, as each has its own share of refusals. */
export function addressOf(n: number): Uint8Array {
  return Uint8Array.of(127, 100 + (n >> 16), n & 255, 1 + ((n >> 8) & 127));
}

export class FirstRelay {
  readonly delaysMs: Float64Array;
  private readonly share: FirstRelayShare;
  private readonly counts: Int32Array;
  private readonly sinceMs: Float64Array;
  private readonly worker: Worker;
  private readonly now = monotonicClock();

  constructor({ name, ports, total }: Pick<FirstRelayShare, 'name' | 'ports' | 'total'>) {
    const counts = new SharedArrayBuffer(4 * (2 + total));
    const sinceMs = new SharedArrayBuffer(8 * total);
    const delaysMs = new SharedArrayBuffer(8 * total * ports.length);
    this.delaysMs = new Float64Array(delaysMs).fill(Number.NaN);
    this.sinceMs = new Float64Array(sinceMs);
    this.counts = new Int32Array(counts);
    this.share = { name, ports, total, counts, sinceMs, delaysMs, event: openEvent() };
    this.worker = new Worker(new URL('./first-relay-thread.ts', import.meta.url), {
      workerData: this.share,
    });
  }

  /** The address of this number is registered from now on. */
  registered(n: number): void {
    const before = this.counts[0]!;
    this.sinceMs[n] = this.now();
    this.counts[2 + before] = n;
    Atomics.store(this.counts, 0, before + 1);
    signalEvent(this.share.event);
  }

  /** Resolves when all addresses are served everywhere, or given up. */
  async done(): Promise<void> {
    await once(this.worker, 'exit');
    closeSocket(this.share.event);
  }
}
