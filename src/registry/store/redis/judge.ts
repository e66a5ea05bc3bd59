import { KEY_SPACE_FORMAT, type Meta, mayFollow } from './keys.ts';
import type { KnownPosition, LostReason } from './state.ts';

export type Verdict =
  | { state: 'up'; meta: Meta }
  | { state: 'lost-data'; reason: LostReason }
  | { state: 'newer-format'; reason: null };

/** The one place that decides whether a control works with the store that it found, given the one it knows. */
export function judge(meta: Meta | null, known: KnownPosition | null): Verdict {
  if (meta === null) return lost('empty');
  if (meta.leastFormat > KEY_SPACE_FORMAT) return { state: 'newer-format', reason: null };
  const isSame = known === null || known.epoch === meta.epoch;
  if (!isSame && !mayFollow(meta, known.epoch)) return lost('epoch');
  if (meta.lostSeq !== null) return lost('found');
  if (known?.epoch === meta.epoch && meta.seq < known.seq) return lost('older');
  return { state: 'up', meta };
}

function lost(reason: LostReason): Verdict {
  return { state: 'lost-data', reason };
}
