import { formatAddress, formatPrefix, type Prefix } from '../net/index.ts';
import { dayOf } from './days.ts';
import type {
  AccountRecord,
  HostnameRecord,
  PrivateNameRecord,
  RegistrationRecord,
  UpdateTokenRecord,
} from './store/store.ts';
import type { Account, Hostname, HostnameState, PrivateName, Registration, UpdateToken } from './types.ts';

/** Converts an account from the store's form to the API's, as the functions below do for the other records. */
export function accountOf(record: AccountRecord): Account {
  const { createdAtMs, activeAtMs, ...rest } = record;
  return { ...rest, createdAt: dayText(createdAtMs), activeAt: dayText(activeAtMs) };
}

export function registrationOf(record: RegistrationRecord): Registration {
  return {
    id: record.id,
    address: prefixText(record.prefix),
    label: record.label,
    source: record.source,
    evidence: record.evidence === 'seen' ? 'seen' : 'told',
    createdAt: dayText(record.createdAtMs),
    expiresAt: dayText(record.expiresAtMs),
  };
}

export function updateTokenOf({ id, label, createdAtMs }: UpdateTokenRecord): UpdateToken {
  return { id, label, createdAt: dayText(createdAtMs) };
}

export function hostnameOf({ id, hostname, state, createdAtMs, checkedAtMs }: HostnameRecord): Hostname {
  const checkedAt = checkedAtMs === null ? null : dayText(checkedAtMs);
  return { id, hostname, state: readState(state), createdAt: dayText(createdAtMs), checkedAt };
}

/** @param registrations the account's; a name shows those that it holds */
export function privateNameOf(
  { id, label, homeOnly, createdAtMs, held }: PrivateNameRecord,
  registrations: readonly RegistrationRecord[],
): PrivateName {
  const addresses = registrations
    .filter((one) => held.includes(one.id))
    .map(({ prefix }) => prefixText(prefix));
  return { id, label, homeOnly, createdAt: dayText(createdAtMs), addresses };
}

/** Earlier releases stored two states for names without a usable address. */
function readState(stored: string): HostnameState {
  return stored === 'empty' || stored === 'not-public' ? 'not-usable' : (stored as HostnameState);
}

function prefixText(prefix: Prefix): string {
  return prefix.family === 4 && prefix.length === 32 ? formatAddress(prefix) : formatPrefix(prefix);
}

/** Returns the day of a time, as its first moment: '2026-11-30T00:00:00.000Z'. */
export function dayText(timeMs: number): string {
  return timeText(dayOf(timeMs));
}

export function timeText(timeMs: number): string {
  return new Date(timeMs).toISOString();
}
