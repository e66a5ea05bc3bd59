/** A failure that the registry answers a call with. Messages never hold an address, key or secret. */
export abstract class RegistryError extends Error {
  abstract readonly code: string;
  override get name(): string {
    return this.constructor.name;
  }
}

/** The allowlist entries in Redis do not match their digest: the data was damaged. */
export class EntriesDifferError extends RegistryError {
  readonly code = 'entries_differ';
  constructor() {
    super('the allowlist entries in Redis do not match their digest; "registry adopt" rebuilds them');
  }
}

/** The account has reached its limit of addresses. */
export class TooManyAddressesError extends RegistryError {
  readonly code = 'too_many_addresses';
  readonly perAccount: number;
  constructor(perAccount: number) {
    super(`the account has ${perAccount} addresses registered, which is its limit`);
    this.perAccount = perAccount;
  }
}

/** The account has reached its limit of update tokens. */
export class TooManyUpdateTokensError extends RegistryError {
  readonly code = 'too_many_update_tokens';
  readonly limit: number;
  constructor(limit: number) {
    super(`the account has ${limit} update tokens, which is the limit`);
    this.limit = limit;
  }
}

/** The account has reached its limit of host names. */
export class TooManyHostnamesError extends RegistryError {
  readonly code = 'too_many_hostnames';
  readonly limit: number;
  constructor(limit: number) {
    super(`the account has ${limit} host names, which is the limit`);
    this.limit = limit;
  }
}

/** The account has reached its limit of private names. */
export class TooManyPrivateNamesError extends RegistryError {
  readonly code = 'too_many_private_names';
  readonly limit: number;
  constructor(limit: number) {
    super(`the account has ${limit} private names, which is the limit`);
    this.limit = limit;
  }
}

/** The address is in a range that may not be registered, or is one of the service's own. */
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

/** The idempotency key was used with another body within the last 24 hours. */
export class IdempotencyKeyReusedError extends RegistryError {
  readonly code = 'idempotency_key_reused';
  constructor() {
    super('the idempotency key was used before with another body');
  }
}

/** A field has an invalid value; `field` and `expected` may be shown to the caller. */
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

/** There are more different profiles than the feed's 16-bit numbers. */
export class TooManyProfilesError extends RegistryError {
  readonly code = 'too_many_profiles';
}

/** The store cannot work now: disk full, no permission, too slow, closed. The call is safe to repeat. */
export class StoreUnavailableError extends RegistryError {
  readonly code = 'store_unavailable';
}

/** The file is damaged, or another program's. It was not changed. */
export class StoreCorruptError extends RegistryError {
  readonly code = 'store_corrupt';
}

/** The file was written by a newer release. It was not changed. */
export class StoreVersionError extends RegistryError {
  readonly code = 'store_version';
}

/** The store lacks data that it once acknowledged: all calls fail until the operator runs `registry adopt`. */
export class StoreLostDataError extends RegistryError {
  readonly code = 'store_lost_data';
}

/** An import needs an empty store, and this one has accounts. */
export class StoreNotEmptyError extends RegistryError {
  readonly code = 'store_not_empty';
}

/** Another process uses the data directory. */
export class StoreLockedError extends RegistryError {
  readonly code = 'store_locked';
}

/** Rebuilds an error from its code: error classes do not survive a message between threads. */
export function storeError(code: string, message: string): RegistryError {
  if (code === 'store_corrupt') return new StoreCorruptError(message);
  if (code === 'store_version') return new StoreVersionError(message);
  if (code === 'store_locked') return new StoreLockedError(message);
  if (code === 'too_many_profiles') return new TooManyProfilesError(message);
  return new StoreUnavailableError(message);
}

/** The store has the change, but the allowlist of this process does not serve it yet. Repeating the call is safe. */
export function notAppliedError(): StoreUnavailableError {
  return new StoreUnavailableError('the change is made, but has not reached the allowlist of this process');
}
