import { KEY_SPACE_FORMAT, type Meta, mayFollow } from '../store/redis/keys.ts';
import type { Position } from './state.ts';

/**
 * What an edge is to do about what the store says of itself:
 * follow: it is the store that the edge knows, with all that the edge has seen of it;
 * adopted: another epoch, which the operator put in the place of the edge's;
 * empty: nothing is there, and the edge has nothing to compare it with;
 * lost-data, newer-format: hold the list.
 */
export type Verdict =
  | { readonly kind: 'follow' | 'adopted' | 'empty' | 'newer-format' }
  | { readonly kind: 'lost-data'; readonly reason: LossReason };

export type LossReason = 'store-empty' | 'other-epoch' | 'older' | 'other-history' | 'found-by-control';

/** The one place that decides whether a list is followed or held. */
export function judge(meta: Meta | null, held: Position | null, format = KEY_SPACE_FORMAT): Verdict {
  if (meta === null) return held === null ? { kind: 'empty' } : lost('store-empty');
  if (meta.leastFormat > format) return { kind: 'newer-format' };
  if (meta.lostSeq !== null) return lost('found-by-control');
  if (held === null) return { kind: 'follow' };
  if (meta.epoch !== held.epoch) {
    return mayFollow(meta, held.epoch) ? { kind: 'adopted' } : lost('other-epoch');
  }
  return meta.seq < held.seq ? lost('older') : { kind: 'follow' };
}

function lost(reason: LossReason): Verdict {
  return { kind: 'lost-data', reason };
}
