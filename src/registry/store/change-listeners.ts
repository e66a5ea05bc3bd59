import type { Change } from '../../feed/index.ts';

export type ChangeListener = (changes: readonly Change[]) => void;

/** The subscribers of a store's changes. */
export class ChangeListeners {
  private readonly listeners = new Set<ChangeListener>();

  get size(): number {
    return this.listeners.size;
  }

  /** Returns the function that ends the subscription. A listener may subscribe more than once. */
  subscribe(listener: ChangeListener): () => void {
    const entry: ChangeListener = (changes) => listener(changes);
    this.listeners.add(entry);
    return () => this.listeners.delete(entry);
  }

  /** Calls all listeners. One that throws does not keep the others, or the caller, from going on. */
  emit(changes: readonly Change[]): void {
    for (const listener of this.listeners) {
      try {
        listener(changes);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
