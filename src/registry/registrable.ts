import {
  type Address,
  contains,
  type Prefix,
  registrationPrefix,
  type Scope,
  scopeOf,
} from '../net/index.ts';

/** What allowPrivate adds: where the clients of a trial on one machine or in one house are. */
const TRIAL_SCOPES: ReadonlySet<Scope> = new Set(['private', 'loopback', 'link-local', 'shared']);

export interface RegistrableOptions {
  allowPrivate: boolean;
  ownAddresses: readonly Address[];
}

/**
 * The one place that decides what may be registered: a public address (by the IANA special-purpose registries); with
 * allowPrivate also a private, loopback, link-local or shared (RFC 6598) one. Never one of the service's own, nor an
 * IPv6 /64 that one of them lies in: its packets would be let back in. With allowPrivate its loopback
 * addresses are not counted as own, because in a trial the client has the same.
 *
 * @returns the prefix to register, or null.
 */
export function registrable(address: Address, options: RegistrableOptions): Prefix | null {
  const scope = scopeOf(address);
  const allowed = scope === 'public' || (options.allowPrivate && TRIAL_SCOPES.has(scope));
  if (!allowed) return null;
  const prefix = registrationPrefix(address);
  const isTrialLoopback = options.allowPrivate && scope === 'loopback';
  if (!isTrialLoopback && options.ownAddresses.some((own) => contains(prefix, own))) return null;
  return prefix;
}
