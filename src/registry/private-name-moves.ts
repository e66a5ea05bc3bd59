const HOUR_MS = 3_600_000;
/** A longer pause ends a candidate's hour. Edges report an address every 5 minutes, each to one of several controls. */
const PAUSE_MS = 20 * 60_000;
/** Time between two moves of a name that is not home-only: two places that use one name take turns, at a price. */
const REST_MS = 60_000;
/** Addresses that a name's move is considered for at a time. */
const MAX_CANDIDATES = 4;
/** Names remembered at once; the least recently claimed is forgotten first. */
const MAX_NAMES = 10_000;

interface Candidate {
  sinceMs: number;
  lastMs: number;
}

interface Moves {
  movedAtMs: number;
  /** By prefix. */
  readonly candidates: Map<string, Candidate>;
}

/**
 * Decides when a private name may leave the address that it holds. Kept in memory: where a phone asks from on the road
 * is nobody's registration, so it is never stored. A restart begins the hour again.
 */
export class PrivateNameMoves {
  private readonly names = new Map<string, Moves>();

  /**
   * Notes a query from an address that the name does not hold.
   *
   * @param key the name's id and the address family
   * @returns true if the name may move there now
   */
  mayMove(key: string, prefix: string, { homeOnly, nowMs }: { homeOnly: boolean; nowMs: number }): boolean {
    const moves = this.touch(key);
    if (!homeOnly) return nowMs - moves.movedAtMs >= REST_MS;
    const known = moves.candidates.get(prefix);
    moves.candidates.delete(prefix);
    const isFresh = known === undefined || nowMs - known.lastMs > PAUSE_MS;
    const candidate = { sinceMs: isFresh ? nowMs : known.sinceMs, lastMs: nowMs };
    moves.candidates.set(prefix, candidate);
    if (moves.candidates.size > MAX_CANDIDATES) {
      moves.candidates.delete(moves.candidates.keys().next().value!);
    }
    return nowMs - candidate.sinceMs >= HOUR_MS;
  }

  /** Notes a query from the address that the name holds: the home is still there, so every candidate's hour ends. */
  atHome(key: string): void {
    this.names.get(key)?.candidates.clear();
  }

  moved(key: string, nowMs: number): void {
    const moves = this.touch(key);
    moves.movedAtMs = nowMs;
    moves.candidates.clear();
  }

  private touch(key: string): Moves {
    const moves = this.names.get(key) ?? { movedAtMs: Number.NEGATIVE_INFINITY, candidates: new Map() };
    this.names.delete(key);
    this.names.set(key, moves);
    if (this.names.size > MAX_NAMES) this.names.delete(this.names.keys().next().value!);
    return moves;
  }
}
