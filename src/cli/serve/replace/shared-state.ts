import type { AllowlistFollower } from '../../../allowlist/index.ts';
import { encodeSnapshot, type Feed } from '../../../feed/index.ts';
import { type Registry, type StoreSteps, StoreUnavailableError } from '../../../registry/index.ts';
import type { Answer, Ask, Link } from './link.ts';

/** The state of a process that it shares with its predecessor or successor. */
export interface SharedState {
  /** Null on a process without one. */
  readonly registry: Registry | null;
  /** Source of the allowlist; null on a process without one. */
  readonly feed: Feed | null;
  /** Null on a process without an edge or relay. */
  readonly follower: Pick<AllowlistFollower, 'snapshot' | 'state'> | null;
}

/** Name of the data that the store is in, and the last change; null: unknown yet. */
export interface Position {
  readonly epoch: string;
  readonly seq: number;
}

/** Forwards the feed's changes to the other process. Returns the end. */
export function forwardChanges(link: Link, { feed }: SharedState): () => void {
  if (feed === null) return () => {};
  return feed.subscribe((changes, epoch) => link.tell({ notice: 'changes', epoch: epoch ?? null, changes }), {
    lost: () => link.tell({ notice: 'lost' }),
    digest: () => {},
  });
}

/** The position that a snapshot would have. */
export function positionOf({ follower, registry }: SharedState): Position | null {
  if (follower !== null) {
    const { epoch, seq } = follower.state;
    return epoch === null ? null : { epoch, seq };
  }
  if (registry === null) return null;
  const { epoch, seq } = registry.status();
  return { epoch, seq: seq ?? 0 };
}

/** Answers a request for the store or the allowlist. @returns null for any other request */
export function answerState(request: Ask, state: SharedState): Promise<Answer> | null {
  if (request.ask === 'call') return call(request, state);
  return request.ask === 'snapshot' ? snapshot(state) : null;
}

async function call({ name, step }: Ask, { registry }: SharedState): Promise<Answer> {
  if (registry?.moves == null) throw new StoreUnavailableError('the process that took over has no store');
  return { value: await registry.moves.call(name as keyof StoreSteps, step as unknown[]) };
}

async function snapshot({ follower, feed }: SharedState): Promise<Answer> {
  const packed = follower?.snapshot() ?? (await feed?.snapshot());
  if (packed === undefined) throw new StoreUnavailableError('there is no allowlist');
  return { bytes: encodeSnapshot(packed) };
}
