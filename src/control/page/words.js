import { say, sayAny } from './say.js';

const DAY_MS = 86_400_000;

/**
 * Says how a registration came about.
 *
 * @param {import('./types').Registration['source']} source
 */
export function sourceWords(source) {
  return sayAny(`registrations.by-${source}`) || say('home.family-in');
}

/**
 * Describes a followed host name without an address.
 *
 * @param {import('./types').Hostname['state']} state
 */
export function hostnameWords(state) {
  return sayAny(`hostnames.${state}`) || say('hostnames.waiting');
}

/**
 * Returns the days until a day; 0 on the day itself.
 *
 * @param {string} time ISO 8601
 * @param {number} nowMs
 */
export function daysUntil(time, nowMs) {
  return Math.max(0, Math.ceil((Date.parse(time) - nowMs) / DAY_MS));
}

/**
 * Describes the end of a lease.
 *
 * @param {string} time
 * @param {number} nowMs
 */
export function leaseWords(time, nowMs) {
  const days = daysUntil(time, nowMs);
  if (days < 14) return say('registrations.ends', { days });
  if (days < 60) return say('registrations.weeks', { weeks: Math.round(days / 7) });
  return say('registrations.months', { months: Math.round(days / 30) });
}
