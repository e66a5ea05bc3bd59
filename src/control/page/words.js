const DAY_MS = 86_400_000;

/** Words for the source of a registration. */
const SOURCES = {
  page: 'Registered on this page',
  api: 'Registered by an app',
  dyndns2: 'Kept up to date by a router',
  hostname: 'Followed by its host name',
  'private-name': 'Kept up to date by a private name',
  admin: 'Added by your provider',
};

/** @param {import('./types').Registration['source']} source */
export function sourceWords(source) {
  return SOURCES[source] || 'Registered';
}

/** Words for a followed host name without an address. */
const HOSTNAME_STATES = {
  waiting: 'Looked up within a few minutes',
  followed: 'Looked up within a few minutes',
  'not-usable': 'It leads to no address that can be registered',
  'too-many': 'It leads to more addresses than your account allows',
  failing: 'Its name servers do not answer. We keep trying.',
};

/** @param {import('./types').Hostname['state']} state */
export function hostnameWords(state) {
  return HOSTNAME_STATES[state] || HOSTNAME_STATES.waiting;
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
  if (days === 0) return 'ends today';
  if (days === 1) return 'ends tomorrow';
  if (days < 14) return `ends in ${days} days`;
  if (days < 60) return `good for ${Math.round(days / 7)} weeks`;
  return `good for ${Math.round(days / 30)} months`;
}

/**
 * Describes a day; the service counts days by UTC.
 *
 * @param {string} time
 */
export function dateWords(time) {
  const date = new Date(time);
  return date.toLocaleDateString('en-GB', {
    day: 'numeric',
    month: 'long',
    year: 'numeric',
    timeZone: 'UTC',
  });
}

/**
 * @param {number} count
 * @param {string} one
 * @param {string} many
 */
export function counted(count, one, many) {
  return `${count} ${count === 1 ? one : many}`;
}
