import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';

const NAME = 'ms_session';
const MAX_AGE_SECONDS = 30 * 86_400;
/** Characters of our secrets. */
const VALUE = /^[\w-]{1,128}$/;
/** Secrets of one call that sign-out ends. */
const MAX_SECRETS = 8;

/** Session cookies of a call. */
interface SessionCookies {
  /** The session's secret; null without a valid one, or with more than one cookie of the name. */
  readonly secret: string | null;
  /** All secrets, for sign-out. */
  readonly secrets: readonly string[];
  readonly isAmbiguous: boolean;
}

/**
 * Reads and writes the session's cookie. Over https its name has the prefix `__Host-`, which browsers accept only from
 * our own host by https: a sibling site (or an http page of it) cannot plant its own session. A second cookie of the
 * name is a sign of such an attack; then neither counts (a request does not tell which is ours).
 */
export class SessionCookie {
  readonly name: string;
  private readonly isSecure: boolean;
  private readonly attributes: string;

  constructor(publicUrl: string) {
    this.isSecure = publicUrl.startsWith('https:');
    this.name = this.isSecure ? `__Host-${NAME}` : NAME;
    this.attributes = `Path=/; HttpOnly; SameSite=Strict${this.isSecure ? '; Secure' : ''}`;
  }

  read(request: IncomingMessage): SessionCookies {
    const pairs = (request.headers.cookie ?? '').split(';').map((pair) => pair.split('=', 2));
    const values = pairs
      .filter(([name]) => name!.trim() === this.name)
      .map(([, value]) => (value ?? '').trim());
    const secrets = values.filter((value) => VALUE.test(value)).slice(0, MAX_SECRETS);
    const isAmbiguous = values.length > 1;
    return { secret: isAmbiguous ? null : (secrets[0] ?? null), secrets, isAmbiguous };
  }

  /** Builds the Set-Cookie of a session: not for scripts, not for calls of other sites, over https only if that is used. */
  set(secret: string): string {
    return `${this.name}=${secret}; ${this.attributes}; Max-Age=${MAX_AGE_SECONDS}`;
  }

  /** Builds the Set-Cookie that removes the session's cookie. */
  clear(): string {
    return `${this.name}=; ${this.attributes}; Max-Age=0`;
  }

  /** Builds Set-Cookies that remove ours and cookies of the name that a parent domain or another path may hold. */
  clearAll({ headers }: IncomingMessage): string[] {
    if (this.isSecure) return [this.clear()];
    const host = (headers.host ?? '').replace(/:\d+$/, '').toLowerCase();
    const labels = isIP(host) !== 0 || !/^[a-z0-9.-]+$/.test(host) ? [] : host.split('.').slice(-5);
    const domains = labels.slice(0, -1).map((_label, index) => `; Domain=${labels.slice(index).join('.')}`);
    return ['', ...domains].flatMap((domain) =>
      ['/', '/v1'].map((path) => `${this.name}=${domain}; Path=${path}; Max-Age=0`),
    );
  }
}
