import { AccountNotFoundError, IdempotencyKeyReusedError, TooManyUpdateTokensError } from './errors.ts';
import { checkLabel } from './fields.ts';
import { idempotencyMark } from './idempotency.ts';
import { hashSecret, makeId, makeSecret, type RandomBytes, sameHash } from './ids.ts';
import { accountOf, updateTokenOf } from './records.ts';
import type { Store } from './store/store.ts';
import type { Account, UpdateToken } from './types.ts';

/** Update tokens per account. */
export const MAX_UPDATE_TOKENS = 20;

export interface UpdateTokensOptions {
  now: () => number;
  randomBytes: RandomBytes;
}

/** Tokens for routers: they may update an address and nothing else. */
export class UpdateTokens {
  private readonly store: Store;
  private readonly options: UpdateTokensOptions;

  constructor(store: Store, options: UpdateTokensOptions) {
    this.store = store;
    this.options = options;
  }

  /**
   * Makes a token, shown this once. A repeat with the same idempotency key gives the same token a fresh secret.
   *
   * @throws TooManyUpdateTokensError, AccountNotFoundError, IdempotencyKeyReusedError, InvalidFieldError
   */
  async create(
    accountId: string,
    request: { label: string; idempotencyKey?: string },
  ): Promise<{ updateToken: UpdateToken; token: string }> {
    const { now, randomBytes } = this.options;
    const nowMs = now();
    const label = checkLabel(request.label)!;
    const token = makeSecret(randomBytes, 'update-token');
    const result = await this.store.addUpdateToken({
      accountId,
      token: { id: makeId(randomBytes), label, createdAtMs: nowMs },
      hash: hashSecret(token),
      limit: MAX_UPDATE_TOKENS,
      idempotency: idempotencyMark(
        request.idempotencyKey,
        ['createUpdateToken', accountId],
        [request.label],
        nowMs,
      ),
    });
    if ('token' in result) return { updateToken: updateTokenOf(result.token), token };
    if (result.outcome === 'no-account') throw new AccountNotFoundError();
    if (result.outcome === 'key-reused') throw new IdempotencyKeyReusedError();
    throw new TooManyUpdateTokensError(MAX_UPDATE_TOKENS);
  }

  /** False: no such account, or no such token of it. */
  remove(accountId: string, id: string): Promise<boolean> {
    return this.store.removeUpdateToken({ accountId, id });
  }

  /**
   * Finds the account of a token, if it is the named account. Only the token is looked up, so that known and unknown
   * accounts take the same time.
   */
  async authenticate(accountId: string, token: string): Promise<Account | null> {
    const hash = hashSecret(token);
    const found = await this.store.findAccountByUpdateToken(hash);
    const isSame = sameHash(found?.hash ?? NO_HASH, hash);
    const isOwner = sameHash(hashSecret(found?.account.id ?? ''), hashSecret(accountId));
    return found !== null && isSame && isOwner ? accountOf(found.account) : null;
  }
}

const NO_HASH = new Uint8Array(32);
