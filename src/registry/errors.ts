/** A failure that the registry answers a call with. Messages hold no address, key or secret. */
export abstract class RegistryError extends Error {
  abstract readonly code: string;
  override get name(): string {
    return this.constructor.name;
  }
}

/** The entries of the allowlist are not those that the store has counted: it was damaged. */
export class EntriesDifferError extends RegistryError {
  readonly code = 'entries_differ';
  constructor() {
    super('Redis holds entries that do not agree with their digest; "registry adopt" makes them anew');
  }
}

/** The account has as many addresses as it may have. */
export class TooManyAddressesError extends RegistryError {
  readonly code = 'too_many_addresses';
  readonly perAccount: number;
  constructor(perAccount: number) {
    super(`the account has ${perAccount} addresses registered, which is its limit`);
    this.perAccount = perAccount;
  }
}

/** The account has as many update tokens as it may have. */
export class TooManyUpdateTokensError extends RegistryError {
  readonly code = 'too_many_update_tokens';
  readonly limit: number;
  constructor(limit: number) {
    super(`the account has ${limit} update tokens, which is the limit`);
    this.limit = limit;
  }
}

/** The account has as many host names as it may have. */
export class TooManyHostnamesError extends RegistryError {
  readonly code = 'too_many_hostnames';
  readonly limit: number;
  constructor(limit: number) {
    super(`the account has ${limit} host names, which is the limit`);
    this.limit = limit;
  }
}

/** The address is of a range that may not be registered, or one of the service's own. */
export class AddressNotPublicError extends RegistryError {
  readonly code = 'address_not_public';
  constructor() {
    super('expected a public address that is not one of the service itself');
  }
}

export class AccountNotFoundError extends RegistryError {
  readonly code = 'account_not_found';
  constructor() {
    super('there is no such account');
  }
}

/** The idempotency key was used before, within 24 hours, with another body. */
export class IdempotencyKeyReusedError extends RegistryError {
  readonly code = 'idempotency_key_reused';
  constructor() {
    super('the idempotency key was used before with another body');
  }
}

/** A field's value is not one that the registry takes; `field` and `expected` are fit to be shown. */
export class InvalidFieldError extends RegistryError {
  readonly code = 'invalid_field';
  readonly field: string;
  readonly expected: string;
  constructor(field: string, expected: string) {
    super(`${field}: expected ${expected}`);
    this.field = field;
    this.expected = expected;
  }
}

/** More different choices of regions by service than the formats of the feed can number. */
export class TooManyProfilesError extends RegistryError {
  readonly code = 'too_many_profiles';
}

/** The store cannot do its work now: disk full, no permission, too slow, ended. The call is safe to repeat. */
export class StoreUnavailableError extends RegistryError {
  readonly code = 'store_unavailable';
}

/** The file is damaged or is not ours. It was not changed. */
export class StoreCorruptError extends RegistryError {
  readonly code = 'store_corrupt';
}

/** The file was written by a newer release. It was not changed. */
export class StoreVersionError extends RegistryError {
  readonly code = 'store_version';
}

/** The store is without data that it once acknowledged: nothing is done until the operator says what is the truth. */
export class StoreLostDataError extends RegistryError {
  readonly code = 'store_lost_data';
}

/** A store that is to take in what another one had has accounts of its own. */
export class StoreNotEmptyError extends RegistryError {
  readonly code = 'store_not_empty';
}

/** Another process has the data directory. */
export class StoreLockedError extends RegistryError {
  readonly code = 'store_locked';
}

/** The fault that a store told by its code, from another thread: error classes do not survive a message. */
export function storeFault(code: string, message: string): RegistryError {
  if (code === 'store_corrupt') return new StoreCorruptError(message);
  if (code === 'store_version') return new StoreVersionError(message);
  if (code === 'store_locked') return new StoreLockedError(message);
  if (code === 'too_many_profiles') return new TooManyProfilesError(message);
  return new StoreUnavailableError(message);
}
