import { familyOf, registrationOf } from './address.js';
import { call, callFamily } from './api.js';
import { CallError } from './problems.js';
import { say } from './say.js';

/** @typedef {import('./types').PageData} PageData */
/** @typedef {import('./types').AddressPath} AddressPath */
/** @typedef {import('./types').Family} Family */

const FIND_TIMEOUT_MS = 5000;

/**
 * Finds the address paths of this network, one per known family. Asks both families if the API has URLs for them; else
 * there is only the family of the page's own call.
 *
 * @param {PageData} page
 * @returns {Promise<AddressPath[]>}
 */
export async function findPaths(page) {
  const paths = await Promise.all([findPath(page, 4), findPath(page, 6)]);
  return paths.filter((path) => path !== null);
}

/**
 * @param {PageData} page
 * @param {Family} family
 * @returns {Promise<AddressPath | null>}
 */
async function findPath(page, family) {
  const { caller, familyUrls, registrations } = page;
  const url = family === 4 ? familyUrls.ipv4 : familyUrls.ipv6;
  const ours = caller.family === family ? caller.address : null;
  if (url === null) {
    return ours === null ? null : pathOf(family, ours, registrations, null);
  }
  try {
    const { address } = await callFamily('GET', `${url}/v1/ip`, { timeoutMs: FIND_TIMEOUT_MS });
    if (typeof address === 'string' && familyOf(address) === family) {
      return pathOf(family, address, registrations, url);
    }
  } catch {
    // This network lacks that family, or that name is not set up.
  }
  return ours === null
    ? { family, address: null, registration: null, url }
    : pathOf(family, ours, registrations, null);
}

/**
 * @param {Family} family
 * @param {string} address
 * @param {import('./types').Registration[]} registrations
 * @param {string | null} url
 */
function pathOf(family, address, registrations, url) {
  return { family, address, registration: registrationOf(registrations, address), url };
}

/** @typedef {{ label?: string, replace?: 'oldest' }} RegisterOptions */

/**
 * Registers every path that has an address. A path that the server refuses (a private address beside a public one) does
 * not stop the others.
 *
 * @param {AddressPath[]} paths
 * @param {RegisterOptions} options
 * @throws {CallError} the first failure, if none was registered or the limit is reached
 */
export async function registerPaths(paths, options) {
  /** @type {unknown} */
  let failure = null;
  let taken = 0;
  for (const path of paths.filter(({ address }) => address !== null)) {
    try {
      await registerPath(path, options);
      taken += 1;
    } catch (error) {
      if (error instanceof CallError && (error.code === 'too_many_addresses' || error.status === 401))
        throw error;
      failure = failure || error;
    }
  }
  if (taken === 0 && failure !== null) throw failure;
}

/**
 * Follows a host name. The name must point at this network; the server sees one address family of it, and the page
 * shows the other by a ticket: before, if the name has only that family, and afterwards, so that its address counts as
 * seen.
 *
 * @param {import('./app').App} app
 * @param {string} hostname
 * @throws {CallError}
 */
export async function followHostname(app, hostname) {
  const { caller } = app.page;
  const others = (app.paths || []).filter(
    ({ family, address, url }) => family !== caller.family && address !== null && url !== null,
  );
  try {
    await call('POST', '/v1/hostnames', { hostname });
  } catch (error) {
    if (!(error instanceof CallError) || error.code !== 'hostname_not_yours' || others.length === 0)
      throw error;
    await followByOthers(others, hostname);
  }
  await app.reload(say('hostnames.followed', { name: hostname }));
  const told = (app.paths || []).filter(
    ({ url, registration }) => url !== null && registration !== null && registration.evidence === 'told',
  );
  if (told.length === 0) return;
  await registerPaths(told, {});
  await app.reload();
}

/**
 * @param {AddressPath[]} others
 * @param {string} hostname
 */
async function followByOthers(others, hostname) {
  /** @type {string[]} */
  const added = [];
  for (const path of others) {
    const { id } = await registerPath(path, {});
    if (path.registration === null) added.push(id);
  }
  try {
    await call('POST', '/v1/hostnames', { hostname });
  } catch (error) {
    for (const id of added) await call('DELETE', `/v1/registrations/${encodeURIComponent(id)}`);
    throw error;
  }
}

/**
 * @param {AddressPath} path
 * @param {RegisterOptions} options
 * @returns {Promise<import('./types').Registration>}
 */
async function registerPath({ url }, options) {
  if (url === null) return call('POST', '/v1/registrations', options);
  const { ticket } = await call('POST', '/v1/tickets', {});
  return callFamily('POST', `${url}/v1/registrations`, { ticket, body: options });
}
