import { hashSecret, makeSecret, type RandomBytes, sameHash } from './ids.ts';
import { accountOf, timeText } from './records.ts';
import type { CredentialKind, Store } from './store/store.ts';
import type { Account } from './types.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/** Lifetime, and how many an account may have: past the limit, the one that ends first goes. */
const RULES: Readonly<Record<CredentialKind, { lifeMs: number; limit: number }>> = {
  session: { lifeMs: 30 * DAY_MS, limit: 20 },
  link: { lifeMs: 5 * MINUTE_MS, limit: 10 },
  ticket: { lifeMs: MINUTE_MS, limit: 20 },
};

export interface CredentialsOptions {
  now: () => number;
  randomBytes: RandomBytes;
}

/** Sessions, sign-in links and tickets. Only hashes are kept, so none can be shown twice. */
export class Credentials {
  private readonly store: Store;
  private readonly options: CredentialsOptions;

  constructor(store: Store, options: CredentialsOptions) {
    this.store = store;
    this.options = options;
  }

  /** Makes a credential; its secret is shown this once. Null: no such account. */
  async make(kind: CredentialKind, accountId: string): Promise<{ secret: string; expiresAt: string } | null> {
    const { now, randomBytes } = this.options;
    const { lifeMs, limit } = RULES[kind];
    const secret = makeSecret(randomBytes, kind);
    const nowMs = now();
    const expiresAtMs = nowMs + lifeMs;
    const hash = hashSecret(secret);
    const made = await this.store.addCredential({ kind, accountId, hash, nowMs, expiresAtMs, limit });
    return made ? { secret, expiresAt: timeText(expiresAtMs) } : null;
  }

  /**
   * Finds the account of a valid session, and moves the session's end at most once a day.
   *
   * @returns `renewed`: the end has moved
   */
  async session(secret: string): Promise<{ account: Account; renewed: boolean } | null> {
    const hash = hashSecret(secret);
    const nowMs = this.options.now();
    const found = await this.store.findCredential({ kind: 'session', hash, nowMs });
    // Unknown secrets are compared too: known and unknown ones take the same time.
    if (!sameHash(found?.hash ?? NO_HASH, hash) || found === null) return null;
    const expiresAtMs = nowMs + RULES.session.lifeMs;
    const isDue = expiresAtMs - found.expiresAtMs >= DAY_MS;
    const renewed =
      isDue && (await this.store.renewCredential({ kind: 'session', hash, nowMs, expiresAtMs }));
    return { account: accountOf(found.account), renewed };
  }

  /** Uses up a link or a ticket. Null: unknown, used before or expired. */
  async redeem(kind: 'link' | 'ticket', secret: string): Promise<Account | null> {
    const hash = hashSecret(secret);
    const found = await this.store.redeemCredential({ kind, hash, nowMs: this.options.now() });
    const isSame = sameHash(found?.hash ?? NO_HASH, hash);
    return found !== null && isSame ? accountOf(found.account) : null;
  }

  endSession(secret: string): Promise<boolean> {
    return this.store.removeCredential({ kind: 'session', hash: hashSecret(secret) });
  }
}

const NO_HASH = new Uint8Array(32);
