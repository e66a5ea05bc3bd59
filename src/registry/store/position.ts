/** The last change that was followed, and its epoch. */
export interface Position {
  readonly epoch: string;
  readonly seq: number;
}

/** The part of a store's metadata that decides whether it may be followed. */
export interface StoreHead extends Position {
  /** The lowest format whose readers understand the store. */
  readonly leastFormat: number;
  /** Set once a control knew a later change than the store has; cleared by `registry adopt`. */
  readonly lostSeq: number | null;
  /** Epochs that `registry adopt` ended, the latest first. */
  readonly predecessors: readonly string[];
  /** The epoch that `registry adopt` began; null where nothing was adopted. */
  readonly adopted: string | null;
}

/**
 * Why data is lost:
 * - store-empty: the store has nothing, and its reader has followed one;
 * - other-epoch: the store is of another life, which no `registry adopt` joins to the reader's;
 * - older: the store lacks changes that the reader has seen;
 * - other-history: the reader's last change is another one in the store;
 * - found-by-control: a control has seen changes that the store lacks.
 */
export type LossReason = 'store-empty' | 'other-epoch' | 'older' | 'other-history' | 'found-by-control';

/**
 * - follow: the reader's own store, with everything that the reader has seen;
 * - adopted: another epoch, which the operator declared to succeed the reader's: load it whole;
 * - empty: nothing is there, and the reader has never followed a store;
 * - newer-format, lost-data: keep what is held and change nothing.
 */
export type PositionVerdict =
  | { readonly state: 'follow' | 'adopted' | 'empty' | 'newer-format' }
  | { readonly state: 'lost-data'; readonly reason: LossReason };

/**
 * Decides whether a store may be followed from a position: the one judge for controls, edges and relays.
 *
 * The epoch is compared before the mark of lost changes: the mark in a stranger's store says nothing about ours.
 *
 * @param head null: the store is empty
 * @param held null: the reader has never followed a store
 * @param format the newest format that the reader understands
 */
export function checkPosition(
  head: StoreHead | null,
  held: Position | null,
  format: number,
): PositionVerdict {
  if (head === null) return held === null ? { state: 'empty' } : lost('store-empty');
  if (head.leastFormat > format) return { state: 'newer-format' };
  const isSameEpoch = held === null || held.epoch === head.epoch;
  if (!isSameEpoch && !succeeds(head, held.epoch)) return lost('other-epoch');
  if (head.lostSeq !== null) return lost('found-by-control');
  if (!isSameEpoch) return { state: 'adopted' };
  return held !== null && head.seq < held.seq ? lost('older') : { state: 'follow' };
}

/** Makes an epoch: nine base-36 digits of the time, so that epochs have an order, and a random id. */
export function makeEpoch(nowMs: number, id: string): string {
  return `${nowMs.toString(36).padStart(9, '0')}-${id}`;
}

/** When an epoch began, in milliseconds since 1970; 0 for an epoch that does not say. */
export function epochTime(epoch: string): number {
  const time = /^([0-9a-z]{9})-[0-9A-Za-z]+$/.exec(epoch)?.[1];
  return time === undefined ? 0 : Number.parseInt(time, 36);
}

/**
 * True if `registry adopt` put the store's epoch after `epoch`. The adopting control may not have known `epoch`, so a
 * later start is enough; an adopted epoch that comes back from a backup names another epoch in `adopted`.
 */
function succeeds(head: StoreHead, epoch: string): boolean {
  if (head.predecessors.includes(epoch)) return true;
  return head.adopted === head.epoch && epochTime(head.epoch) > epochTime(epoch);
}

function lost(reason: LossReason): PositionVerdict {
  return { state: 'lost-data', reason };
}
