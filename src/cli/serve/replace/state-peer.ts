import { type Change, decodeSnapshot, type Snapshot } from '../../../feed/index.ts';
import { type StorePeer, StoreUnavailableError, storeError } from '../../../registry/index.ts';
import { type Link, LinkError, type Notice } from './link.ts';
import type { Position } from './shared-state.ts';

/** Calls wait this long for a link. */
const PATIENCE_MS = 5_000;

/** Store and allowlist of another process, over one link after another. */
export class StatePeer implements StorePeer {
  private link: Link | null = null;
  private position: Position;
  private readonly listeners = new Set<(changes: readonly Change[]) => void>();
  private readonly lostListeners = new Set<() => void>();
  private readonly waiting = new Set<(link: Link) => void>();

  /** @param position up to which this process has followed */
  constructor(position: Position) {
    this.position = position;
  }

  get epoch(): string {
    return this.position.epoch;
  }

  /** Uses a link until it ends. @param position of the other process; if it differs, the allowlist is loaded again */
  attach(link: Link, position: Position | null): void {
    this.link = link;
    for (const take of this.waiting) take(link);
    this.waiting.clear();
    if (position === null) return;
    const { epoch, seq } = this.position;
    this.position = position;
    if (position.epoch !== epoch || position.seq !== seq) this.lose();
  }

  detach(link: Link): void {
    if (this.link === link) this.link = null;
  }

  /** Takes a notice of the other process. */
  hear(notice: Notice): void {
    if (notice.notice === 'lost') this.lose();
    if (notice.notice !== 'changes') return;
    const changes = notice.changes as readonly Change[];
    const epoch = (notice.epoch as string | null) ?? this.position.epoch;
    this.position = { epoch, seq: changes[changes.length - 1]!.seq };
    for (const listener of this.listeners) listener(changes);
  }

  async call(name: string, step: readonly unknown[]): Promise<unknown> {
    const link = this.link ?? (await this.nextLink());
    return (await link.ask({ ask: 'call', name, step }).catch(fail)).value;
  }

  async snapshot(): Promise<Snapshot> {
    const link = this.link ?? (await this.nextLink());
    const { bytes } = await link.ask({ ask: 'snapshot' }).catch(fail);
    return decodeSnapshot(bytes!);
  }

  subscribe(listener: (changes: readonly Change[]) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  onLost(listener: () => void): () => void {
    this.lostListeners.add(listener);
    return () => this.lostListeners.delete(listener);
  }

  private lose(): void {
    for (const listener of this.lostListeners) listener();
  }

  private nextLink(): Promise<Link> {
    return new Promise((resolve, reject) => {
      const take = (link: Link): void => {
        clearTimeout(timer);
        resolve(link);
      };
      const timer = setTimeout(() => {
        this.waiting.delete(take);
        reject(new StoreUnavailableError('the process that took over does not answer'));
      }, PATIENCE_MS).unref();
      this.waiting.add(take);
    });
  }
}

function fail(error: unknown): never {
  if (error instanceof LinkError) throw storeError(error.code, error.message);
  throw error;
}
