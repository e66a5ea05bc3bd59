import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { Counter } from '../metrics/index.ts';
import type { Account } from '../registry/index.ts';
import { callerAddress, peerAddress, sourceKey } from './caller.ts';
import type { ControlOptions } from './options.ts';
import { DEFAULT_AUTHENTICATION_LIMITS } from './options.ts';
import { Problem } from './problem.ts';
import { FailureThrottle } from './throttle.ts';

/** Who makes a call. */
export type Principal = { kind: 'admin' } | { kind: 'account'; account: Account };

/** Who may make a call; `either` is for the handler to tell apart. */
export type Access = 'anyone' | 'admin' | 'account' | 'either';

/** RFC 6750, section 2.1; the scheme's case does not matter (RFC 9110, section 11.1). */
const BEARER = /^bearer +([\x21-\x7e]{1,256})$/i;

const CHALLENGE = { 'www-authenticate': 'Bearer realm="mediastreamer"' };

const EXPECTED: Record<Exclude<Access, 'anyone'>, string> = {
  admin: 'This call takes the admin key.',
  account: "This call takes an account's secret.",
  either: "This call takes the admin key or an account's secret.",
};

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/**
 * Tells who calls by `Authorization: Bearer KEY`.
 *
 * A wrong key is answered the same whatever is wrong with it, and always after the same two comparisons: with the
 * admin key (hashes in constant time) and with the registry's hashes. Sources that try too many are answered 429,
 * but a right key passes even then: households behind CGNAT share an address, and one guesser must not lock out the
 * others. Guessing stays hopeless without it, as secrets have at least 128 random bits.
 */
export class Keys {
  readonly #options: ControlOptions;
  readonly #adminHash: Buffer;
  readonly #throttle: FailureThrottle;

  constructor(options: ControlOptions) {
    if (options.adminKey === '') throw new RangeError('adminKey must not be empty');
    this.#options = options;
    this.#adminHash = sha256(options.adminKey);
    this.#throttle = new FailureThrottle({
      ...DEFAULT_AUTHENTICATION_LIMITS,
      ...options.authentication,
      now: options.now,
    });
  }

  /** @throws Problem `unauthorized`, `too_many_attempts`, `forbidden` */
  async require(access: Exclude<Access, 'anyone'>, request: IncomingMessage): Promise<Principal> {
    const header = request.headers.authorization;
    if (header === undefined) throw this.#unauthorized(access);
    const principal = await this.#principalOf(BEARER.exec(header)?.[1] ?? '');
    if (principal === null) throw this.#failure(access, request);
    if (access !== 'either' && access !== principal.kind) {
      throw new Problem('forbidden', { detail: EXPECTED[access] });
    }
    return principal;
  }

  async #principalOf(key: string): Promise<Principal | null> {
    if (timingSafeEqual(sha256(key), this.#adminHash)) return { kind: 'admin' };
    const account = await this.#options.registry.authenticate(key);
    return account === null ? null : { kind: 'account', account };
  }

  #failure(access: Exclude<Access, 'anyone'>, request: IncomingMessage): Problem {
    const retryAfterSeconds = this.#throttle.fail(this.#sourceOf(request));
    const unauthorized = this.#unauthorized(access);
    if (retryAfterSeconds === 0) return unauthorized;
    return new Problem('too_many_attempts', { headers: { 'retry-after': String(retryAfterSeconds) } });
  }

  #unauthorized(access: Exclude<Access, 'anyone'>): Problem {
    this.#options.counters?.increment(Counter.CONTROL_AUTH_FAILURES);
    return new Problem('unauthorized', { detail: EXPECTED[access], headers: CHALLENGE });
  }

  #sourceOf(request: IncomingMessage): string {
    const peer = peerAddress(request);
    try {
      return sourceKey(callerAddress(request, this.#options.trustedProxies));
    } catch {
      // An unreadable X-Forwarded-For counts against the proxy that let it through.
      return peer === null ? '' : sourceKey(peer);
    }
  }
}
