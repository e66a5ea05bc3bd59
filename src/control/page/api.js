import { CallError } from './problems.js';

const TIMEOUT_MS = 15_000;

/** @typedef {'GET' | 'POST' | 'PATCH' | 'DELETE'} Method */

/**
 * Calls the API of the page's own origin; the session's cookie goes with it.
 *
 * @param {Method} method
 * @param {string} path
 * @param {object} [body]
 * @returns {Promise<any>} the reply's body, null where it has none
 * @throws {CallError}
 */
export function call(method, path, body) {
  return send(path, { method, credentials: 'same-origin' }, body, TIMEOUT_MS);
}

/**
 * Calls the same API over one address family: another origin, so without the cookie.
 *
 * @param {Method} method
 * @param {string} url
 * @param {{ ticket?: string, body?: object, timeoutMs?: number }} [options]
 * @returns {Promise<any>}
 * @throws {CallError}
 */
export function callFamily(method, url, options) {
  const { ticket, body, timeoutMs } = options || {};
  /** @type {Record<string, string>} */
  const headers = ticket === undefined ? {} : { authorization: `Bearer ${ticket}` };
  return send(url, { method, credentials: 'omit', mode: 'cors', headers }, body, timeoutMs || TIMEOUT_MS);
}

/**
 * @param {string} url
 * @param {RequestInit} init
 * @param {object | undefined} body
 * @param {number} timeoutMs
 */
async function send(url, init, body, timeoutMs) {
  const headers = Object.assign({ accept: 'application/json' }, init.headers);
  if (body !== undefined) Object.assign(headers, { 'content-type': 'application/json' });
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), timeoutMs);
  try {
    const reply = await fetch(url, {
      ...init,
      headers,
      cache: 'no-store',
      signal: abort.signal,
      body: body === undefined ? null : JSON.stringify(body),
    });
    const text = await reply.text();
    const held = parse(text);
    if (reply.ok) return held;
    throw failure(reply.status, held);
  } catch (error) {
    if (error instanceof CallError) throw error;
    throw new CallError(navigator.onLine === false ? 'offline' : 'server_away', 0);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * @param {number} status
 * @param {any} problem by RFC 9457
 */
function failure(status, problem) {
  const held = problem || {};
  // A proxy in front of the server answers in its own words.
  const otherwise = status === 502 || status === 503 || status === 504 ? 'server_away' : 'internal';
  return new CallError(typeof held.code === 'string' ? held.code : otherwise, status, held.errors);
}

/** @param {string} text */
function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
