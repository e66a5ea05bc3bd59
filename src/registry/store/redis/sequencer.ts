import type { Change } from '../../../feed/index.ts';
import { ChangeListeners } from '../change-listeners.ts';

/**
 * Emits changes in order, each once, whichever reply they come with: replies to own steps carry those steps' changes;
 * changes of other controls in between are fetched.
 */
export class Sequencer {
  private readonly listeners = new ChangeListeners();
  private readonly fetch: (seq: number) => Promise<Change[] | 'gap'>;
  private emittedSeq = 0;
  private filling: Promise<void> | null = null;

  /** @param fetch loads one page of changes after a number */
  constructor(fetch: (seq: number) => Promise<Change[] | 'gap'>) {
    this.fetch = fetch;
  }

  /** The last change that was emitted. */
  get seq(): number {
    return this.emittedSeq;
  }

  /** Continues after `seq`; earlier changes are not emitted. */
  reset(seq: number): void {
    this.emittedSeq = seq;
  }

  subscribe(listener: (changes: readonly Change[]) => void): () => void {
    return this.listeners.subscribe(listener);
  }

  /**
   * Takes consecutive changes of the store. Resolves when they, and all changes before them, have been emitted.
   *
   * @throws errors of fetching
   */
  async offer(changes: readonly Change[]): Promise<void> {
    if (changes.length === 0) return;
    const last = changes[changes.length - 1].seq;
    while (changes[0].seq > this.emittedSeq + 1) await this.reach(changes[0].seq - 1);
    if (last > this.emittedSeq) this.emit(changes.slice(this.emittedSeq + 1 - changes[0].seq));
  }

  /** Emits all changes up to `seq`. */
  async reach(seq: number): Promise<void> {
    // Without listeners, changes of others need not be fetched.
    if (this.listeners.size === 0) this.emittedSeq = Math.max(this.emittedSeq, seq);
    while (this.emittedSeq < seq) {
      this.filling ??= this.fill().finally(() => {
        this.filling = null;
      });
      await this.filling;
    }
  }

  private async fill(): Promise<void> {
    const from = this.emittedSeq;
    const changes = await this.fetch(from);
    if (changes === 'gap') {
      // The log no longer has them. Listeners see the gap in the numbers and load a snapshot.
      if (this.emittedSeq === from) this.emittedSeq = from + 1;
      return;
    }
    const missing = changes.filter(({ seq }) => seq > this.emittedSeq);
    if (missing.length > 0) this.emit(missing);
  }

  private emit(changes: readonly Change[]): void {
    this.emittedSeq = changes[changes.length - 1].seq;
    this.listeners.emit(changes);
  }
}
