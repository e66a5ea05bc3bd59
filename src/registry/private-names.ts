import { createHmac } from 'node:crypto';
import { type Address, formatPrefix } from '../net/index.ts';
import { leaseDay, renewalDay } from './days.ts';
import { AccountNotFoundError, IdempotencyKeyReusedError, TooManyPrivateNamesError } from './errors.ts';
import { checkLabel } from './fields.ts';
import { idempotencyMark } from './idempotency.ts';
import { makeId, makePrivateToken, type RandomBytes } from './ids.ts';
import { PrivateNameMoves } from './private-name-moves.ts';
import { privateNameOf } from './records.ts';
import { type RegistrableOptions, registrable } from './registrable.ts';
import type { Store } from './store/store.ts';
import type { PrivateClaim, PrivateName } from './types.ts';

/** Private names per account: one for each device of a large home. */
export const MAX_PRIVATE_NAMES = 20;

export interface PrivateNamesOptions extends RegistrableOptions {
  leaseDays: number;
  now: () => number;
  randomBytes: RandomBytes;
  /** Keys the hashes that the store keeps; the same on every control. Null: private names are off. */
  privateNameKey?: Uint8Array | null;
}

/** Names that register the address that their queries come from. Networks see them, so they open nothing else. */
export class PrivateNames {
  private readonly store: Store;
  private readonly options: PrivateNamesOptions;
  private readonly moves = new PrivateNameMoves();

  constructor(store: Store, options: PrivateNamesOptions) {
    this.store = store;
    this.options = options;
  }

  /** False: no key is configured, and the other methods must not be called. */
  get isOn(): boolean {
    return this.options.privateNameKey != null;
  }

  /**
   * Makes a name; its token is shown this once. A repeat with the same idempotency key gives the name a fresh token.
   *
   * @throws TooManyPrivateNamesError, AccountNotFoundError, IdempotencyKeyReusedError, InvalidFieldError
   */
  async create(
    accountId: string,
    request: { label: string; homeOnly?: boolean; idempotencyKey?: string },
  ): Promise<{ privateName: PrivateName; token: string }> {
    const { now, randomBytes } = this.options;
    const nowMs = now();
    const { homeOnly = true } = request;
    const label = checkLabel(request.label)!;
    const token = makePrivateToken(randomBytes);
    const result = await this.store.addPrivateName({
      accountId,
      name: { id: makeId(randomBytes), label, homeOnly, createdAtMs: nowMs, held: [] },
      hash: this.hash(token),
      limit: MAX_PRIVATE_NAMES,
      idempotency: idempotencyMark(
        request.idempotencyKey,
        ['createPrivateName', accountId],
        [label, homeOnly],
        nowMs,
      ),
    });
    if ('name' in result) return { privateName: privateNameOf(result.name, []), token };
    if (result.outcome === 'no-account') throw new AccountNotFoundError();
    if (result.outcome === 'key-reused') throw new IdempotencyKeyReusedError();
    throw new TooManyPrivateNamesError(MAX_PRIVATE_NAMES);
  }

  /** Gives a name a new token; the old one ends, the registrations stay. Null: no such account or name. */
  async renew(accountId: string, id: string): Promise<{ privateName: PrivateName; token: string } | null> {
    const token = makePrivateToken(this.options.randomBytes);
    const record = await this.store.changePrivateName({ accountId, id, hash: this.hash(token) });
    return record === null ? null : { privateName: privateNameOf(record, []), token };
  }

  /** False: no such account or name. */
  async change(accountId: string, id: string, change: { homeOnly?: boolean }): Promise<boolean> {
    return (await this.store.changePrivateName({ accountId, id, ...change })) !== null;
  }

  /** Ends the name's registrations too. False: no such account or name. */
  remove(accountId: string, id: string): Promise<boolean> {
    return this.store.removePrivateName({ accountId, id });
  }

  /** Registers, renews or moves the address that a query by the name came from. */
  async claim(token: string, address: Address): Promise<PrivateClaim> {
    const { now, leaseDays, randomBytes } = this.options;
    const prefix = registrable(address, this.options);
    if (prefix === null || !PRIVATE_TOKEN.test(token)) return 'unknown';
    const nowMs = now();
    const step = {
      hash: this.hash(token),
      id: makeId(randomBytes),
      prefix,
      mayMove: false,
      nowMs,
      expiresAtMs: leaseDay(nowMs, leaseDays),
      renewBeforeMs: renewalDay(nowMs, leaseDays, formatPrefix(prefix)),
    };
    const result = await this.store.claimPrivateName(step);
    if (result.outcome === 'unknown') return 'unknown';
    const key = `${result.nameId} ${prefix.family}`;
    if (result.outcome === 'own') this.moves.atHome(key);
    if (result.outcome === 'made') this.moves.moved(key, nowMs);
    if (result.outcome === 'too-many') return 'too_many_addresses';
    if (result.outcome !== 'occupied') return 'registered';
    if (!this.moves.mayMove(key, formatPrefix(prefix), { homeOnly: result.homeOnly, nowMs }))
      return 'waiting';
    const moved = await this.store.claimPrivateName({ ...step, mayMove: true });
    if (moved.outcome === 'unknown') return 'unknown';
    if (moved.outcome === 'too-many') return 'too_many_addresses';
    this.moves.moved(key, nowMs);
    return 'registered';
  }

  private hash(token: string): Uint8Array {
    const { privateNameKey } = this.options;
    if (privateNameKey == null) throw new RangeError('private names are off');
    return new Uint8Array(createHmac('sha256', privateNameKey).update(token.toLowerCase()).digest());
  }
}

/** 26 characters of base32 (RFC 4648 section 6), without padding; case does not matter, as in host names. */
const PRIVATE_TOKEN = /^[a-z2-7]{26}$/i;
