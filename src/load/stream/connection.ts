/** One connection that carries queries of a load. */
export interface LoadConnection {
  /**
   * Sends the query that the traffic has chosen, at the latest with the next flush.
   * @returns false where the connection cannot take it
   */
  ask(dueMs: number, category: number): boolean;
  /** Sends what was asked since the last flush. */
  flush(): void;
  /** Counts as lost what was sent at `limitMs` or before and has no answer. */
  expire(limitMs: number): void;
  /** Whether no query waits for its answer. */
  readonly isIdle: boolean;
  /** Resolves when the connection stands or has failed for the first time. */
  readonly settled: Promise<void>;
  close(): void;
}
