import type { Relay } from './relay.ts';

/** Relays in one answer at most. */
export const MAX_RELAYS_PER_ANSWER = 4;
/** Homes are spread over this many buckets; each bucket has its own order of the relays. */
export const BUCKETS = 1024;
/** Terminates an order of fewer than MAX_RELAYS_PER_ANSWER relays. */
export const NO_RELAY = 0xffff;

/** MurmurHash3's finalizer: every input bit affects every output bit. */
function scramble(value: number): number {
  let h = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/**
 * Hash of the address that identifies a relay. Unkeyed, so that all edges lead a home to the same relay after
 * any restart; the same for both families, so that A and AAAA agree.
 */
export function relayHash(relay: Relay): number {
  const bytes = relay.address4 ?? relay.address6 ?? new Uint8Array();
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return scramble(hash);
}

/**
 * Weighted rendezvous hashing: -w / ln(u), with u uniform in (0, 1), derived from the bucket and the relay
 * alone. The highest score wins, in proportion to the weights; adding or removing a relay moves no other.
 */
export function relayScore(hash: number, weight: number, bucket: number): number {
  const mixed = scramble(hash ^ scramble(Math.imul(bucket + 1, 0x9e3779b1)));
  return -weight / Math.log((mixed + 0.5) / 0x1_0000_0000);
}

export function orderLength(listCount: number): number {
  return listCount * 2 * BUCKETS * MAX_RELAYS_PER_ANSWER;
}

/** Index of the first entry of an order; family 4 precedes family 6. */
export function orderBase(list: number, family: 4 | 6, bucket: number): number {
  const part = list * 2 + (family === 6 ? 1 : 0);
  return (part * BUCKETS + bucket) * MAX_RELAYS_PER_ANSWER;
}

interface Candidate {
  readonly index: number;
  readonly hash: number;
  readonly weight: number;
}

/** Writes the best candidates for a bucket to orders[base...], best first. */
function fillBucket(from: readonly Candidate[], bucket: number, orders: Uint16Array, base: number): void {
  const best: number[] = [];
  const scores: number[] = [];
  for (const candidate of from) {
    const score = relayScore(candidate.hash, candidate.weight, bucket);
    let at = scores.length;
    while (at > 0 && score > scores[at - 1]) at--;
    if (at >= MAX_RELAYS_PER_ANSWER) continue;
    scores.splice(at, 0, score);
    best.splice(at, 0, candidate.index);
    if (best.length > MAX_RELAYS_PER_ANSWER) {
      scores.pop();
      best.pop();
    }
  }
  orders.set(best, base);
}

/**
 * Fills all orders of a list and a family (layout: orderBase).
 * @param chosen indexes of the relays to order, all with a weight above 0
 */
export function fillOrder(
  relays: readonly Relay[],
  chosen: readonly number[],
  orders: Uint16Array,
  list: number,
  family: 4 | 6,
): void {
  const from = chosen.map((index) => ({
    index,
    hash: relayHash(relays[index]),
    weight: relays[index].weight,
  }));
  orders.fill(NO_RELAY, orderBase(list, family, 0), orderBase(list, family, BUCKETS));
  for (let bucket = 0; bucket < BUCKETS; bucket++) {
    fillBucket(from, bucket, orders, orderBase(list, family, bucket));
  }
}
