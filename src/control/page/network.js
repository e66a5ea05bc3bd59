import { familyOf, registrationOf } from './address.js';
import { call, callFamily } from './api.js';
import { CallFailed } from './problems.js';

/** @typedef {import('./types').PageData} PageData */
/** @typedef {import('./types').Way} Way */
/** @typedef {import('./types').Family} Family */

const FIND_TIMEOUT_MS = 5000;

/**
 * The ways that this network reaches us, one a family that is known about. Where the API is served by each family
 * alone, both are asked; else there is the one that the page came by.
 *
 * @param {PageData} page
 * @returns {Promise<Way[]>}
 */
export async function findWays(page) {
  const ways = await Promise.all([findWay(page, 4), findWay(page, 6)]);
  return ways.filter((way) => way !== null);
}

/**
 * @param {PageData} page
 * @param {Family} family
 * @returns {Promise<Way | null>}
 */
async function findWay(page, family) {
  const { caller, familyUrls, registrations } = page;
  const url = family === 4 ? familyUrls.ipv4 : familyUrls.ipv6;
  const ours = caller.family === family ? caller.address : null;
  if (url === null) {
    return ours === null ? null : wayOf(family, ours, registrations, null);
  }
  try {
    const { address } = await callFamily('GET', `${url}/v1/ip`, { timeoutMs: FIND_TIMEOUT_MS });
    if (typeof address === 'string' && familyOf(address) === family) {
      return wayOf(family, address, registrations, url);
    }
  } catch {
    // This network does not speak that family, or that name is not set up.
  }
  return ours === null
    ? { family, address: null, registration: null, url }
    : wayOf(family, ours, registrations, null);
}

/**
 * @param {Family} family
 * @param {string} address
 * @param {import('./types').Registration[]} registrations
 * @param {string | null} url
 */
function wayOf(family, address, registrations, url) {
  return { family, address, registration: registrationOf(registrations, address), url };
}

/** @typedef {{ label?: string, replace?: 'oldest' }} RegisterOptions */

/**
 * Registers this network by every way that has an address. One that the server will not take (a private address
 * beside a public one) does not keep the others out.
 *
 * @param {Way[]} ways
 * @param {RegisterOptions} options
 * @throws {CallFailed} the first failure, where none was taken or the limit is reached
 */
export async function registerWays(ways, options) {
  /** @type {unknown} */
  let failure = null;
  let taken = 0;
  for (const way of ways.filter(({ address }) => address !== null)) {
    try {
      await registerWay(way, options);
      taken += 1;
    } catch (error) {
      if (error instanceof CallFailed && (error.code === 'too_many_addresses' || error.status === 401))
        throw error;
      failure = failure || error;
    }
  }
  if (taken === 0 && failure !== null) throw failure;
}

/**
 * @param {Way} way
 * @param {RegisterOptions} options
 */
async function registerWay({ url }, options) {
  if (url === null) return call('POST', '/v1/registrations', options);
  const { ticket } = await call('POST', '/v1/tickets', {});
  return callFamily('POST', `${url}/v1/registrations`, { ticket, body: options });
}
