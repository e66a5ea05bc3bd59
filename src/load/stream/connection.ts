/** A connection that carries queries of a load. */
export interface LoadConnection {
  /**
   * Sends the traffic's current query, at the latest with the next flush. @returns false if the connection
   * cannot take it
   */
  ask(dueMs: number, category: number): boolean;
  /** Sends what was queued since the last flush. */
  flush(): void;
  /** Counts unanswered queries sent at or before `limitMs` as lost. */
  expire(limitMs: number): void;
  /** No query is outstanding. */
  readonly isIdle: boolean;
  /** Resolves when the connection is established or has failed for the first time. */
  readonly settled: Promise<void>;
  close(): void;
}
