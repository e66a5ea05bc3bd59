import { type Address, type Prefix, registrationPrefix } from '../net/index.ts';
import { leaseDay, renewalDay } from './days.ts';
import { AccountNotFoundError, InvalidFieldError, TooManyHostnamesError } from './errors.ts';
import { makeId, type RandomBytes } from './ids.ts';
import { hostnameOf } from './records.ts';
import { type RegistrableOptions, registrable } from './registrable.ts';
import type { Store } from './store/store.ts';
import type { Hostname, HostnameState } from './types.ts';

/** DDNS names per account. */
export const MAX_HOSTNAMES = 5;
/** Addresses followed per name: a home has one of each family, one with several lines a few. */
const MAX_ADDRESSES = 8;
/** RFC 1123 section 2.1: labels of letters, digits and hyphens; at least two, the last one not all digits. */
const HOST_NAME =
  /^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?=[a-z0-9-]*[a-z])[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

const HOST_NAME_EXPECTED = 'a whole host name, such as home.example.net';

export interface HostnamesOptions extends RegistrableOptions {
  leaseDays: number;
  now: () => number;
  randomBytes: RandomBytes;
}

export interface DueHostname {
  accountId: string;
  id: string;
  hostname: string;
  /** True if the account is suspended: its names are not looked up. */
  suspended?: boolean;
}

/** The result of a name's look-up. */
export interface HostnameFinding {
  addresses: readonly Address[];
  /** Families that were looked up successfully; registrations of the other family stay. */
  families: readonly (4 | 6)[];
  /** When the name is due again, in milliseconds since 1970. */
  nextAtMs: number;
  /** The address that the account's call came from, when it added the name. */
  seen?: Address | null;
}

/** Returns a host name in lower case, without a root dot. @throws InvalidFieldError */
export function checkHostname(text: string): string {
  const hostname = text.toLowerCase().replace(/\.$/, '');
  if (!HOST_NAME.test(hostname)) throw new InvalidFieldError('hostname', HOST_NAME_EXPECTED);
  return hostname;
}

/** DDNS names whose addresses are registered for their accounts as they change. */
export class Hostnames {
  private readonly store: Store;
  private readonly options: HostnamesOptions;

  constructor(store: Store, options: HostnamesOptions) {
    this.store = store;
    this.options = options;
  }

  /** @throws TooManyHostnamesError, AccountNotFoundError, InvalidFieldError */
  async add(accountId: string, text: string): Promise<{ outcome: 'created' | 'exists'; hostname: Hostname }> {
    const hostname = checkHostname(text);
    const { randomBytes, now } = this.options;
    const result = await this.store.addHostname({
      accountId,
      id: makeId(randomBytes),
      hostname,
      nowMs: now(),
      limit: MAX_HOSTNAMES,
    });
    if (result.outcome === 'no-account') throw new AccountNotFoundError();
    if (result.outcome === 'too-many') throw new TooManyHostnamesError(MAX_HOSTNAMES);
    return { outcome: result.outcome, hostname: hostnameOf(result.hostname) };
  }

  /** Ends the name's registrations too. False: no such account, or no such name of it. */
  remove(accountId: string, id: string): Promise<boolean> {
    return this.store.removeHostname({ accountId, id });
  }

  /** Lists up to `limit` names that are due for a look-up. */
  async due(limit: number): Promise<DueHostname[]> {
    const found = await this.store.dueHostnames({ nowMs: this.options.now(), limit });
    return found.map(({ accountId, suspended, hostname }) => ({
      accountId,
      suspended,
      id: hostname.id,
      hostname: hostname.hostname,
    }));
  }

  /** Registers a name's present addresses and ends its former ones. False: the name is gone. */
  settle(
    due: DueHostname,
    { addresses, families, nextAtMs, seen = null }: HostnameFinding,
  ): Promise<boolean> {
    const { randomBytes, now, leaseDays } = this.options;
    const nowMs = now();
    const prefixes = this.registrable(addresses);
    return this.store.settleHostname({
      accountId: due.accountId,
      id: due.id,
      prefixes,
      families,
      ids: prefixes.map(() => makeId(randomBytes)),
      seen: seen === null ? null : registrationPrefix(seen),
      state: due.suspended === true ? 'waiting' : stateOf(addresses, families, prefixes),
      nowMs,
      expiresAtMs: leaseDay(nowMs, leaseDays),
      renewBeforeMs: renewalDay(nowMs, leaseDays, due.id),
      nextAtMs,
    });
  }

  private registrable(addresses: readonly Address[]): Prefix[] {
    const found = new Map<string, Prefix>();
    for (const address of addresses) {
      const prefix = registrable(address, this.options);
      if (prefix !== null) found.set(prefix.bytes.join(), prefix);
    }
    return [...found.values()].slice(0, MAX_ADDRESSES);
  }
}

function stateOf(
  addresses: readonly Address[],
  families: readonly (4 | 6)[],
  prefixes: readonly Prefix[],
): HostnameState {
  if (prefixes.length > 0) return 'followed';
  // One state, so that nobody learns which internal names the operator's resolver knows.
  return addresses.length > 0 || families.length === 2 ? 'not-usable' : 'failing';
}
