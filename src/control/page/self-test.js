/** @typedef {import('./types').Tally} Tally */
/** @typedef {import('./types').VerdictName} VerdictName */

/** Enough to notice a second DNS server, which gets about every other question. */
const LOADS = 8;
const AT_ONCE = 4;
const TIMEOUT_MS = 6000;

/**
 * Loads images from new, uncached names that only our edges answer: `reached` for everyone, `registered` for registered
 * addresses.
 *
 * @param {string} zone
 * @param {boolean} withRelay also load a name that a relay of the chosen region carries
 * @param {(share: number) => void} onProgress from 0 to 1
 * @returns {Promise<Tally>}
 */
export async function runSelfTest(zone, withRelay, onProgress) {
  /** @type {('reached' | 'registered')[]} */
  const names = [];
  for (let load = 0; load < LOADS; load += 1) names.push('reached', 'registered');
  /** @type {Tally} */
  const tally = { loads: LOADS, reached: 0, registered: 0, relayed: null };
  let done = 0;
  const work = async () => {
    for (let name = names.pop(); name !== undefined; name = names.pop()) {
      const isThere = await loads(urlOf(name, zone));
      if (isThere && name === 'reached') tally.reached += 1;
      if (isThere && name === 'registered') tally.registered += 1;
      done += 1;
      onProgress(done / (2 * LOADS));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  if (withRelay && tally.registered > 0) {
    // A second try, as the first connection to a relay may be lost.
    tally.relayed = (await loads(urlOf('relayed', zone))) || (await loads(urlOf('relayed', zone)));
  }
  return tally;
}

/**
 * Derives the verdict from the loads.
 *
 * @param {Tally} tally
 * @returns {VerdictName} `partly`: all questions reach us, some of them from an address that is not registered; `relay`: the
 *   relay does not carry this device
 */
export function verdictOf({ loads, reached, registered, relayed }) {
  if (reached === 0 && registered === 0) return 'elsewhere';
  if (reached < loads) return 'mixed';
  if (registered === 0) return 'unregistered';
  if (registered < loads) return 'partly';
  return relayed === false ? 'relay' : 'working';
}

/**
 * @param {string} name
 * @param {string} zone
 */
function urlOf(name, zone) {
  return `${location.protocol}//${randomLabel()}.${name}.${zone}${port()}/probe.svg`;
}

function port() {
  return location.port === '' ? '' : `:${location.port}`;
}

function randomLabel() {
  const bytes = crypto.getRandomValues(new Uint8Array(8));
  return `x${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

/**
 * Resolves to true if an image loads. Images work in every browser, TVs included, and need no CORS.
 *
 * @param {string} url
 * @returns {Promise<boolean>}
 */
function loads(url) {
  return new Promise((resolve) => {
    const image = new Image();
    const end = (/** @type {boolean} */ isThere) => {
      clearTimeout(timer);
      image.onload = null;
      image.onerror = null;
      resolve(isThere);
    };
    const timer = setTimeout(() => end(false), TIMEOUT_MS);
    image.onload = () => end(true);
    image.onerror = () => end(false);
    image.src = url;
  });
}
