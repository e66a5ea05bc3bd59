import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { ProblemError } from './problem.ts';

/** The host of a Host header field in lower case, without port, brackets and a root dot; null if it is no host. */
function hostName(host: string): string | null {
  const match = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+?)\.?)(?::\d{1,5})?$/.exec(host.toLowerCase());
  return match === null ? null : (match[1] ?? match[2]!);
}

/**
 * Refuses a call that the session's cookie came with unless a page of ours made it: the cookie goes with whatever the
 * browser is made to send, from a sibling's page too (SameSite does not tell sub-domains apart). Sec-Fetch-Site says
 * where a call comes from; browsers that do not send it (and all on plain http) name the Origin of what is no GET, which
 * OriginGuard has checked.
 *
 * @throws Problem `foreign_origin`
 */
export function requireSameOrigin({ method, headers }: IncomingMessage): void {
  const isRead = method === 'GET' || method === 'HEAD';
  const site = headers['sec-fetch-site'];
  // A person who types an address, or opens a bookmark, comes from nowhere.
  if (site === 'same-origin' || (isRead && (site === undefined || site === 'none'))) return;
  if (site === undefined && headers.origin !== undefined) return;
  throw new ProblemError('foreign_origin');
}

/**
 * Refuses what a browser sends on behalf of another site: a Host that this server does not answer for (a name that
 * an attacker made resolve to us: DNS rebinding) and an Origin that is not ours (dnsdist's CVE-2017-7557).
 *
 * Ours are the hosts of the given URLs, `localhost`, and any literal address: a literal does not go through DNS, so
 * it cannot be rebound, and health checks, trials on a laptop and ports mapped into containers use them.
 */
export class OriginGuard {
  private readonly hosts: ReadonlySet<string>;
  private readonly origins: ReadonlySet<string>;
  private readonly testZones: readonly string[];

  /**
   * @param urls where this API is reached; each must parse
   * @param testZone the self-test's zone, whose names are not ours but for the probe
   */
  constructor(urls: readonly string[], testZone: string | null) {
    const parsed = urls.map((url) => new URL(url));
    this.hosts = new Set(['localhost', ...parsed.map((url) => hostName(url.host) ?? url.hostname)]);
    this.origins = new Set(parsed.map((url) => url.origin));
    const zone = testZone?.toLowerCase().replace(/\.$/, '');
    this.testZones = zone === undefined ? [] : [`.reached.${zone}`, `.registered.${zone}`];
  }

  /** Whether a call is for a name of the self-test: such get the probe, and nothing else. */
  isProbe({ headers }: IncomingMessage): boolean {
    const name = hostName(headers.host ?? '');
    return name !== null && this.testZones.some((zone) => name.endsWith(zone));
  }

  /** @throws Problem `foreign_host`, `foreign_origin` */
  check(request: IncomingMessage): void {
    const { host, origin } = request.headers;
    // Only HTTP/1.0 comes without Host (node:http refuses it in 1.1), and no browser speaks that.
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
    // Behind a proxy that ends TLS the scheme of a page is https and that of the call http: both are the same page.
    return (
      host !== undefined &&
      (text === `http://${host.toLowerCase()}` || text === `https://${host.toLowerCase()}`)
    );
  }
}
