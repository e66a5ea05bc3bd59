import type { Change, Snapshot } from '../../feed/index.ts';

/** The store of another process, reached through that process. */
export interface StorePeer {
  readonly epoch: string;
  /** Makes a step. @throws StoreUnavailableError without that process, and what the step fails with */
  call(name: string, step: readonly unknown[]): Promise<unknown>;
  snapshot(): Promise<Snapshot>;
  subscribe(listener: (changes: readonly Change[]) => void): () => void;
  /** Calls the listener when changes may have been missed. */
  onLost(listener: () => void): () => void;
}
