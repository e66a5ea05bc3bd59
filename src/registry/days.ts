import { createHash } from 'node:crypto';

export const DAY_MS = 86_400_000;
/** A lease ends within this time after its last day, so that not all leases of a day end at midnight. */
export const LEASE_SPREAD_MS = 6 * 3_600_000;

/** An account is listed as about to be erased for at least this long. */
export const LAPSE_NOTICE_DAYS = 30;

/** Returns the start of a time's day, UTC. Times are kept and told as days: a time of day tells when a home was active. */
export function dayOf(timeMs: number): number {
  return Math.floor(timeMs / DAY_MS) * DAY_MS;
}

/** Returns the last day of a lease that begins now. */
export function leaseDay(nowMs: number, leaseDays: number): number {
  return dayOf(nowMs + leaseDays * DAY_MS);
}

/**
 * Returns the moment at which a lease ends: by a keyed hash, within six hours after its last day. lua/keyspace.lua
 * computes the same.
 *
 * @param key the store's epoch
 * @param id of the registration
 */
export function leaseEnd(day: number, key: string, id: string): number {
  return dayOf(day) + DAY_MS + 1 + spread(`${key}:${id}`, LEASE_SPREAD_MS);
}

/**
 * Returns the day before which a lease has to end to be renewed now. Leases are renewed once a day, each at a time of its
 * own: in step, all followed names would write at midnight.
 *
 * @param key tells leases apart
 */
export function renewalDay(nowMs: number, leaseDays: number, key: string): number {
  return leaseDay(nowMs - spread(key, DAY_MS), leaseDays);
}

function spread(text: string, rangeMs: number): number {
  return createHash('sha1').update(text).digest().readUInt32BE(0) % rangeMs;
}
