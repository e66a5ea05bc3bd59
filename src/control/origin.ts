import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { ProblemError } from './problem.ts';

/** Returns the host of a Host header in lower case, without port, brackets and root dot; null if it is invalid. */
function hostName(host: string): string | null {
  const match = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+?)\.?)(?::\d{1,5})?$/.exec(host.toLowerCase());
  return match === null ? null : (match[1] ?? match[2]!);
}

/**
 * Refuses what node:http accepts and other parsers read in another way: a version that is not HTTP/1 and transfer
 * codings besides chunked (RFC 9112, section 6.1), by which requests could be smuggled past a proxy.
 *
 * @throws Problem `http_version_not_supported`, `transfer_coding_not_supported`
 */
export function checkFraming(request: IncomingMessage): void {
  const { httpVersionMajor, headers } = request;
  // HTTP/2 has frames of its own, and its requests a stream; anything else claims to be what it is not.
  if (httpVersionMajor !== 1 && !('stream' in request)) throw new ProblemError('http_version_not_supported');
  const coding = headers['transfer-encoding'];
  if (coding !== undefined && coding.trim().toLowerCase() !== 'chunked') {
    throw new ProblemError('transfer_coding_not_supported');
  }
}

/**
 * Refuses a call with a session cookie unless a page of ours made it. Browsers attach the cookie to calls of sibling
 * sites too, because SameSite does not separate sub-domains. Sec-Fetch-Site tells them apart. Browsers without it (and
 * all browsers on plain http) send Origin with every method but GET and HEAD, and OriginGuard has checked that.
 *
 * @throws Problem `foreign_origin`
 */
export function requireSameOrigin({ method, headers }: IncomingMessage): void {
  const isRead = method === 'GET' || method === 'HEAD';
  const site = headers['sec-fetch-site'];
  // A typed address and a bookmark have the site 'none'.
  if (site === 'same-origin' || (isRead && (site === undefined || site === 'none'))) return;
  if (site === undefined && headers.origin !== undefined) return;
  throw new ProblemError('foreign_origin');
}

/**
 * Refuses calls that a browser makes for another site: a foreign Host (DNS rebinding: an attacker's name that resolves
 * to us) and a foreign Origin (as in dnsdist's CVE-2017-7557).
 *
 * Our hosts are those of the given URLs, `localhost` and every literal address. Literals do not go through DNS and so
 * cannot be rebound; health checks, trials on a laptop and mapped container ports use them.
 */
export class OriginGuard {
  private readonly hosts: ReadonlySet<string>;
  private readonly origins: ReadonlySet<string>;
  private readonly testZones: readonly string[];

  /**
   * @param urls the URLs of this API; each must parse
   * @param testZone the self-test's zone; only the probe is served for its names
   */
  constructor(urls: readonly string[], testZone: string | null) {
    const parsed = urls.map((url) => new URL(url));
    this.hosts = new Set(['localhost', ...parsed.map((url) => hostName(url.host) ?? url.hostname)]);
    this.origins = new Set(parsed.map((url) => url.origin));
    const zone = testZone?.toLowerCase().replace(/\.$/, '');
    this.testZones =
      zone === undefined ? [] : [`.reached.${zone}`, `.registered.${zone}`, `.relayed.${zone}`];
  }

  /** True if a call is for a name of the self-test, which gets the probe and nothing else. */
  isProbe({ headers }: IncomingMessage): boolean {
    const name = hostName(headers.host ?? '');
    return name !== null && this.testZones.some((zone) => name.endsWith(zone));
  }

  /**
   * Checks a target in absolute form, `GET http://host/path`, of which the host counts (RFC 9112, section 3.2.2).
   *
   * @throws Problem `foreign_host`
   */
  checkTarget({ url = '', headers }: IncomingMessage): void {
    if (url.startsWith('/') || url === '*') return;
    const authority = /^https?:\/\/([^/?#]*)/i.exec(url)?.[1]?.toLowerCase();
    if (authority === undefined) throw new ProblemError('foreign_host');
    const name = hostName(authority);
    const isSame = name !== null && name === hostName(headers.host ?? '');
    if (!isSame && !this.isOurHost(authority)) throw new ProblemError('foreign_host');
  }

  /** @throws Problem `foreign_host`, `foreign_origin` */
  check(request: IncomingMessage): void {
    const { host, origin } = request.headers;
    // Only HTTP/1.0 has no Host (node:http refuses 1.1 without one), and browsers do not speak it.
    if (host !== undefined && !this.isOurHost(host)) throw new ProblemError('foreign_host');
    if (origin !== undefined && !this.isOurOrigin(origin, host)) throw new ProblemError('foreign_origin');
  }

  private isOurHost(host: string): boolean {
    const name = hostName(host);
    return name !== null && (this.hosts.has(name) || isIP(name) !== 0);
  }

  private isOurOrigin(origin: string, host: string | undefined): boolean {
    const text = origin.toLowerCase();
    if (this.origins.has(text)) return true;
    // Behind a proxy that terminates TLS the page is https and the call http: accept both schemes.
    return (
      host !== undefined &&
      (text === `http://${host.toLowerCase()}` || text === `https://${host.toLowerCase()}`)
    );
  }
}
