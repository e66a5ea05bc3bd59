import type { Change } from '../../../feed/index.ts';

type Listener = (changes: readonly Change[]) => void;

/**
 * Tells changes in their order, each once, whichever reply they come with: replies of own steps hold the changes of
 * these, and what other controls changed in between is fetched.
 */
export class Sequencer {
  private readonly listeners = new Set<Listener>();
  private readonly fetch: (seq: number) => Promise<Change[] | 'gap'>;
  private ownSeq = 0;
  private filling: Promise<void> | null = null;

  /** @param fetch the changes after a number, as many as come in one go. */
  constructor(fetch: (seq: number) => Promise<Change[] | 'gap'>) {
    this.fetch = fetch;
  }

  /** The last change that was told. */
  get seq(): number {
    return this.ownSeq;
  }

  /** Goes on from here: what was before is not told. */
  reset(seq: number): void {
    this.ownSeq = seq;
  }

  subscribe(listener: Listener): () => void {
    const own = (changes: readonly Change[]): void => listener(changes);
    this.listeners.add(own);
    return () => this.listeners.delete(own);
  }

  /**
   * Takes consecutive changes that are in the store. Resolves when they have been told, and all before them.
   *
   * @throws what fetching throws.
   */
  async offer(changes: readonly Change[]): Promise<void> {
    if (changes.length === 0) return;
    const last = changes[changes.length - 1].seq;
    while (changes[0].seq > this.ownSeq + 1) await this.reach(changes[0].seq - 1);
    if (last > this.ownSeq) this.tell(changes.slice(this.ownSeq + 1 - changes[0].seq));
  }

  /** Tells all changes up to this one. */
  async reach(seq: number): Promise<void> {
    // Nobody listens: what others changed need not be fetched.
    if (this.listeners.size === 0) this.ownSeq = Math.max(this.ownSeq, seq);
    while (this.ownSeq < seq) {
      this.filling ??= this.fill().finally(() => {
        this.filling = null;
      });
      await this.filling;
    }
  }

  private async fill(): Promise<void> {
    const from = this.ownSeq;
    const changes = await this.fetch(from);
    if (changes === 'gap') {
      // The log is shorter than what was missed: a listener sees the gap in the numbers and loads a snapshot.
      if (this.ownSeq === from) this.ownSeq = from + 1;
      return;
    }
    const news = changes.filter(({ seq }) => seq > this.ownSeq);
    if (news.length > 0) this.tell(news);
  }

  private tell(changes: readonly Change[]): void {
    this.ownSeq = changes[changes.length - 1].seq;
    for (const listener of this.listeners) {
      try {
        listener(changes);
      } catch (error) {
        // One that fails keeps neither the others from hearing nor the callers from their answers.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
