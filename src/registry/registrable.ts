import { type Address, type Prefix, registrationPrefix, type Scope, scopeOf } from '../net/index.ts';

/** Scopes that allowPrivate adds, for trials on one machine or in one house. */
const TRIAL_SCOPES: ReadonlySet<Scope> = new Set(['private', 'loopback', 'link-local', 'shared']);

export interface RegistrableOptions {
  allowPrivate: boolean;
  /** True for a prefix that overlaps the service's own addresses. Asked at each registration, since they change. */
  isOwn: (prefix: Prefix) => boolean;
}

/**
 * Returns the prefix to register for an address, or null if it may not be registered.
 *
 * Public addresses may (IANA special-purpose registries); with allowPrivate also private, loopback, link-local and
 * shared (RFC 6598) ones. The service's own addresses may not, nor an IPv6 /64 around one of them: the service's own
 * packets would pass the gate. With allowPrivate own loopback addresses may: in a trial the client has the same.
 */
export function registrable(address: Address, options: RegistrableOptions): Prefix | null {
  const scope = scopeOf(address);
  const allowed = scope === 'public' || (options.allowPrivate && TRIAL_SCOPES.has(scope));
  if (!allowed) return null;
  const prefix = registrationPrefix(address);
  const isTrialLoopback = options.allowPrivate && scope === 'loopback';
  if (!isTrialLoopback && options.isOwn(prefix)) return null;
  return prefix;
}
