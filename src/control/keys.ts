import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { Counter } from '../metrics/index.ts';
import { type Account, looksLike } from '../registry/index.ts';
import { callerAddress, peerAddress, sourceKey } from './caller.ts';
import type { SessionCookie } from './cookie.ts';
import type { ControlOptions } from './options.ts';
import { DEFAULT_AUTHENTICATION_LIMITS } from './options.ts';
import { requireSameOrigin } from './origin.ts';
import { ProblemError } from './problem.ts';
import { Throttle } from './throttle.ts';

/** An authenticated caller. */
export type Principal =
  | { kind: 'admin' }
  /** An edge in another process, which may report queries by private names and nothing else. */
  | { kind: 'edge' }
  | {
      kind: 'account';
      account: Account;
      by: 'secret' | 'session' | 'ticket';
      /** The session's secret if the session was prolonged: send the cookie again. */
      renewedSession?: string;
    };

/**
 * The callers that a route admits. With `either` (operator or account) the handler tells them apart; `ticket` is an
 * account by its secret, its session or a ticket; `edge` is an edge in another process.
 */
export type Access = 'anyone' | 'admin' | 'account' | 'either' | 'ticket' | 'edge';

/** RFC 6750, section 2.1; the scheme's case does not matter (RFC 9110, section 11.1). */
const BEARER = /^bearer +([\x21-\x7e]{1,256})$/i;

const CHALLENGE = { 'www-authenticate': 'Bearer realm="mediastreamer"' };

const EXPECTED: Record<Exclude<Access, 'anyone'>, string> = {
  admin: 'This call needs the admin key.',
  account: "This call needs an account's secret.",
  either: "This call needs the admin key or an account's secret.",
  edge: 'This call needs the key of edges.',
  ticket: "This call needs an account's secret, or a ticket.",
};

const NO_KEY = 'The secret or the sign-in link is not valid or has ended.';

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/**
 * Authenticates callers by `Authorization: Bearer KEY` or, without that header, by the session's cookie.
 *
 * Every wrong key gets the same answer after the same comparisons: with all admin keys (hashes in constant time) and
 * with the registry's hashes. Sources with too many failures get 429, but a right key still passes: households behind
 * CGNAT share an address, and one guesser must not lock out the others. Secrets have at least 128 random bits, so
 * guessing is hopeless without a lock-out.
 */
export class Keys {
  private readonly options: ControlOptions;
  private readonly cookie: SessionCookie;
  /** Null: no key is configured for edges. */
  private readonly edgeHash: Buffer | null;
  private readonly throttle: Throttle;

  constructor(options: ControlOptions, cookie: SessionCookie) {
    if (options.adminKeys().length === 0) throw new RangeError('adminKeys must not be empty');
    this.options = options;
    this.cookie = cookie;
    const edgeKey = options.privateNames?.edgeKey ?? '';
    this.edgeHash = edgeKey === '' ? null : sha256(edgeKey);
    const limits = { ...DEFAULT_AUTHENTICATION_LIMITS, ...options.authentication };
    this.throttle = new Throttle({ ...limits, limit: limits.failures, now: options.now });
  }

  /** @throws Problem `unauthorized`, `too_many_attempts`, `forbidden`, `foreign_origin` */
  async require(access: Exclude<Access, 'anyone'>, request: IncomingMessage): Promise<Principal> {
    const principal = await this.principalOf(access, request);
    const kind = access === 'ticket' ? 'account' : access;
    if (kind !== 'either' && kind !== principal.kind) {
      throw new ProblemError('forbidden', { detail: EXPECTED[access] });
    }
    return principal;
  }

  /**
   * Returns the account of a secret or of a sign-in link, which is consumed. A wrong one counts as a guess.
   *
   * @throws Problem `unauthorized`, `too_many_attempts`
   */
  async signIn(given: { secret: string } | { link: string }, request: IncomingMessage): Promise<Account> {
    const { registry } = this.options;
    const account =
      'secret' in given
        ? await registry.authenticate(given.secret)
        : await registry.credentials.redeem('link', given.link);
    if (account === null) throw this.failure(NO_KEY, request);
    return account;
  }

  /** Counts a wrong key. Returns true if the source has tried too many. */
  noteFailure(request: IncomingMessage): boolean {
    this.options.counters?.increment(Counter.CONTROL_AUTH_FAILURES);
    return this.throttle.count(this.sourceOf(request)) > 0;
  }

  private async principalOf(access: Exclude<Access, 'anyone'>, request: IncomingMessage): Promise<Principal> {
    const header = request.headers.authorization;
    if (header === undefined) return this.principalOfSession(access, request);
    const key = BEARER.exec(header)?.[1] ?? '';
    if (access === 'edge') {
      if (this.edgeHash === null || !timingSafeEqual(sha256(key), this.edgeHash)) {
        throw this.failure(EXPECTED.edge, request);
      }
      return { kind: 'edge' };
    }
    if (this.isAdminKey(key)) return { kind: 'admin' };
    const isTicket = access === 'ticket' && looksLike('ticket', key);
    const { registry } = this.options;
    const account = isTicket
      ? await registry.credentials.redeem('ticket', key)
      : await registry.authenticate(key);
    if (account === null) throw this.failure(EXPECTED[access], request);
    return { kind: 'account', account, by: isTicket ? 'ticket' : 'secret' };
  }

  /** Compares with every admin key, so that the time does not tell which one is right. */
  private isAdminKey(key: string): boolean {
    const digest = sha256(key);
    let isRight = false;
    for (const known of this.options.adminKeys()) {
      const isSame = timingSafeEqual(digest, known);
      isRight ||= isSame;
    }
    return isRight;
  }

  private async principalOfSession(
    access: Exclude<Access, 'anyone'>,
    request: IncomingMessage,
  ): Promise<Principal> {
    const { secret, isAmbiguous } = this.cookie.read(request);
    if (secret === null) {
      throw this.unauthorized(EXPECTED[access], isAmbiguous ? this.cookie.clearAll(request) : []);
    }
    requireSameOrigin(request);
    const found = await this.options.registry.credentials.session(secret);
    // An ended session does not count as a guess: browsers send its cookie until it is removed.
    if (found === null) throw this.unauthorized(EXPECTED[access]);
    const { account, renewed } = found;
    return { kind: 'account', account, by: 'session', ...(renewed ? { renewedSession: secret } : {}) };
  }

  private failure(expected: string, request: IncomingMessage): ProblemError {
    const retryAfterSeconds = this.throttle.count(this.sourceOf(request));
    const unauthorized = this.unauthorized(expected);
    if (retryAfterSeconds === 0) return unauthorized;
    return new ProblemError('too_many_attempts', { headers: { 'retry-after': String(retryAfterSeconds) } });
  }

  private unauthorized(expected: string, cookies: string[] = []): ProblemError {
    this.options.counters?.increment(Counter.CONTROL_AUTH_FAILURES);
    const headers = cookies.length === 0 ? CHALLENGE : { ...CHALLENGE, 'set-cookie': cookies };
    return new ProblemError('unauthorized', { detail: expected, headers });
  }

  private sourceOf(request: IncomingMessage): string {
    const peer = peerAddress(request);
    try {
      return sourceKey(callerAddress(request, this.options.trustedProxies));
    } catch {
      // An unreadable X-Forwarded-For counts against the proxy that passed it on.
      return peer === null ? '' : sourceKey(peer);
    }
  }
}
