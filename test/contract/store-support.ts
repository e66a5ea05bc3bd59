import { createHash } from 'node:crypto';
import type { Change, Profile, Snapshot } from '../../src/feed/index.ts';
import { formatPrefix, type Prefix, parseAddress, registrationPrefix } from '../../src/net/index.ts';
import type {
  CreateAccountStep,
  IdempotencyMark,
  RegisterStep,
  Store,
} from '../../src/registry/store/store.ts';

export const DAY_MS = 86_400_000;
/** Leases end within six hours after their last day. */
export const LEASE_OVER_MS = DAY_MS + 6 * 3_600_000;
export const START_MS = Date.UTC(2026, 0, 1);

export function prefix(text: string): Prefix {
  return registrationPrefix(parseAddress(text)!);
}

export function hash(text: string): Uint8Array {
  return new Uint8Array(createHash('sha256').update(text).digest());
}

export function mark(key: string, body = 'body', expiresAtMs = START_MS + DAY_MS): IdempotencyMark {
  return { key: hash(key), fingerprint: hash(body), expiresAtMs };
}

export function newAccount(
  id: string,
  changes: Partial<CreateAccountStep['account']> = {},
): CreateAccountStep {
  return {
    account: {
      id,
      region: 'us',
      perAccount: 5,
      suspended: false,
      services: {},
      createdAtMs: START_MS,
      activeAtMs: START_MS,
      keep: false,
      ...changes,
    },
    secretHash: hash(`secret of ${id}`),
    idempotency: null,
    nowMs: START_MS,
  };
}

let registrations = 0;

export function registration(
  accountId: string,
  address: string,
  changes: Partial<RegisterStep> = {},
): RegisterStep {
  const nowMs = changes.nowMs ?? START_MS;
  return {
    accountId,
    id: `registration${++registrations}`,
    prefix: prefix(address),
    label: undefined,
    source: 'api',
    evidence: 'seen',
    replaceOldest: false,
    nowMs,
    expiresAtMs: nowMs + 90 * DAY_MS,
    idempotency: null,
    ...changes,
  };
}

/** Entries as text: prefix -> 'region families services'. */
export type Entries = Map<string, string>;

export function profileWords(profile: Profile): string {
  const families = `${profile.ipv4 ? '4' : ''}${profile.ipv6 ? '6' : ''}`;
  const services = Object.entries(profile.services)
    .sort()
    .map(([service, region]) => ` ${service}=${region}`);
  return `${profile.region} ${families}${services.join('')}${profile.told ? ' told' : ''}`;
}

export function applyChanges(entries: Entries, changes: readonly Change[]): void {
  for (const change of changes) {
    const key = formatPrefix(change.prefix);
    if (change.kind === 'set') entries.set(key, profileWords(change.profile));
    else entries.delete(key);
  }
}

export function entriesOf(snapshot: Snapshot): Entries {
  const entries: Entries = new Map();
  for (const group of snapshot.groups) {
    const width = group.keys.length / group.count;
    for (let index = 0; index < group.count; index++) {
      const bytes = new Uint8Array(group.family === 4 ? 4 : 16);
      bytes.set(group.keys.subarray(index * width, (index + 1) * width));
      const key = formatPrefix({ family: group.family, bytes, length: group.length });
      entries.set(key, profileWords(snapshot.profiles[group.profiles[index]]));
    }
  }
  return entries;
}

export function sorted(entries: Entries): [string, string][] {
  return [...entries].sort(([a], [b]) => (a < b ? -1 : 1));
}

/** Records the changes of a store from now on. */
export class Recorder {
  readonly changes: Change[] = [];
  readonly stop: () => void;

  constructor(store: Store) {
    this.stop = store.subscribe((changes) => this.changes.push(...changes));
  }

  /** Returns the changes since the last call, as 'seq prefix profile' or 'seq prefix gone'. */
  take(): string[] {
    return this.changes.splice(0).map(changeWords);
  }
}

export function changeWords(change: Change): string {
  const what = change.kind === 'set' ? profileWords(change.profile) : 'gone';
  return `${change.seq} ${formatPrefix(change.prefix)} ${what}`;
}
