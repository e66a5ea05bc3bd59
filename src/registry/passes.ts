import { hashSecret, makeSecret, type RandomBytes, sameHash } from './ids.ts';
import { accountOf, timeText } from './records.ts';
import type { PassKind, Store } from './store/store.ts';
import type { Account } from './types.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/** How long each lets somebody in, and how many an account may have: past that the one that ends first goes. */
const RULES: Readonly<Record<PassKind, { lifeMs: number; limit: number }>> = {
  session: { lifeMs: 30 * DAY_MS, limit: 20 },
  link: { lifeMs: 5 * MINUTE_MS, limit: 10 },
  ticket: { lifeMs: MINUTE_MS, limit: 20 },
};

export interface PassesOptions {
  now: () => number;
  randomBytes: RandomBytes;
}

/** What lets somebody in for a while. Only hashes are kept, so none can be shown again. */
export class Passes {
  private readonly store: Pick<Store, 'addPass' | 'findPass' | 'renewPass' | 'takePass' | 'removePass'>;
  private readonly options: PassesOptions;

  constructor(store: Store, options: PassesOptions) {
    this.store = store;
    this.options = options;
  }

  /** @returns the pass, shown this once; null: no such account */
  async make(kind: PassKind, accountId: string): Promise<{ secret: string; expiresAt: string } | null> {
    const { now, randomBytes } = this.options;
    const { lifeMs, limit } = RULES[kind];
    const secret = makeSecret(randomBytes, kind);
    const nowMs = now();
    const expiresAtMs = nowMs + lifeMs;
    const hash = hashSecret(secret);
    const made = await this.store.addPass({ kind, accountId, hash, nowMs, expiresAtMs, limit });
    return made ? { secret, expiresAt: timeText(expiresAtMs) } : null;
  }

  /**
   * The account of a session that is not over. A session that is used lasts on: its end moves, once a day.
   *
   * @returns `renewed`: the end has moved
   */
  async session(secret: string): Promise<{ account: Account; renewed: boolean } | null> {
    const hash = hashSecret(secret);
    const nowMs = this.options.now();
    const found = await this.store.findPass({ kind: 'session', hash, nowMs });
    // The unknown one is compared too, so that both take the same way.
    if (!sameHash(found?.hash ?? NO_HASH, hash) || found === null) return null;
    const expiresAtMs = nowMs + RULES.session.lifeMs;
    const isDue = expiresAtMs - found.expiresAtMs >= DAY_MS;
    const renewed = isDue && (await this.store.renewPass({ kind: 'session', hash, nowMs, expiresAtMs }));
    return { account: accountOf(found.account), renewed };
  }

  /** Uses up a link or a ticket. @returns the account that it is of; null: there is none, or none any more */
  async take(kind: 'link' | 'ticket', secret: string): Promise<Account | null> {
    const hash = hashSecret(secret);
    const found = await this.store.takePass({ kind, hash, nowMs: this.options.now() });
    const isSame = sameHash(found?.hash ?? NO_HASH, hash);
    return found !== null && isSame ? accountOf(found.account) : null;
  }

  endSession(secret: string): Promise<boolean> {
    return this.store.removePass({ kind: 'session', hash: hashSecret(secret) });
  }
}

const NO_HASH = new Uint8Array(32);
