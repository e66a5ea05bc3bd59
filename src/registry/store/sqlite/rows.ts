import type { SQLOutputValue } from 'node:sqlite';
import type { Source } from '../../types.ts';
import { EVIDENCE } from '../evidence.ts';
import { prefixOfKey } from '../prefix-key.ts';
import type { AccountRecord, RegistrationRecord } from '../store.ts';

export type Row = Record<string, SQLOutputValue>;

/** A row of `account`. */
export interface AccountRow {
  number: number;
  id: string;
  secret_hash: Uint8Array;
  region: string;
  per_account: number;
  suspended: number;
  services: string;
  created_at: number;
  ipv4: number;
  ipv6: number;
  active_at: number;
  keep: number;
  erases_at: number | null;
}

/** A row of `registration`. */
export interface RegistrationRow {
  number: number;
  id: string;
  account: number;
  prefix: Uint8Array;
  renewal: number;
  label: string | null;
  source: string;
  /** A rank of evidence.ts. */
  evidence: number;
  created_at: number;
  expires_at: number;
  ends_at: number;
}

export function accountRecord(row: AccountRow): AccountRecord {
  return {
    id: row.id,
    region: row.region,
    perAccount: row.per_account,
    suspended: row.suspended === 1,
    services: JSON.parse(row.services),
    createdAtMs: row.created_at,
    activeAtMs: row.active_at,
    keep: row.keep === 1,
  };
}

export function registrationRecord(row: RegistrationRow): RegistrationRecord {
  return {
    id: row.id,
    prefix: prefixOfKey(row.prefix),
    label: row.label,
    source: row.source as Source,
    evidence: EVIDENCE[row.evidence],
    createdAtMs: row.created_at,
    expiresAtMs: row.expires_at,
  };
}
