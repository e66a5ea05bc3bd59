/** 'MSrg': marks a SQLite file as ours. */
export const APPLICATION_ID = 0x4d537267;
/** Version of the tables below. Files of a later version are not touched. */
export const SCHEMA_VERSION = 7;

/**
 * The tables. `created_at`, `checked_at`, `active_at` and a registration's `expires_at` are days, except in `pass`.
 * - `state`: one row. `trimmed` is the last change that left the log; `renewal` counts registrations and renewals, and
 *   orders them (the clock may jump).
 * - `account`: `ipv4` and `ipv6` count its registrations by family; `active_at` is the day of its last registration or
 *   its creation; `keep` is 1 if it is never erased for lack of use;
 *   `erases_at` is the day on which it will be.
 * - `registration`: `prefix` as in prefix-key.ts; `live` is 0 while the account is suspended; `evidence` is a rank of
 *   evidence.ts; `ends_at` is when the lease ends (leaseEnd in days.ts).
 * - `entry`: the allowlist. `holders` counts the live registrations of the prefix.
 * - `profile`: the text of profile-text.ts and its number of entries.
 * - `log`: changes; a null profile removes the entry.
 * - `idempotency`: answers for repeated calls.
 * - `pass`: sessions, sign-in links and tickets, by hash.
 * - `update_token`: by hash.
 * - `hostname`: followed DDNS names; `next_at` is when the next look-up is due, `barred` the keys (hexadecimal, JSON) of
 *   prefixes that the name may not register before it moves.
 * - `private_name`: by keyed hash; `ipv4` and `ipv6` are ids of the registrations that the name made last.
 * - `service_day`: states of services; `hours` as in service-history.ts.
 */
const VERSION_1 = `
CREATE TABLE state (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  epoch TEXT NOT NULL,
  seq INTEGER NOT NULL,
  trimmed INTEGER NOT NULL,
  renewal INTEGER NOT NULL
) STRICT;
CREATE TABLE account (
  number INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  secret_hash BLOB NOT NULL UNIQUE,
  region TEXT NOT NULL,
  per_account INTEGER NOT NULL,
  suspended INTEGER NOT NULL,
  services TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  ipv4 INTEGER NOT NULL DEFAULT 0,
  ipv6 INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE registration (
  number INTEGER PRIMARY KEY,
  id TEXT NOT NULL,
  account INTEGER NOT NULL REFERENCES account (number) ON DELETE CASCADE,
  prefix BLOB NOT NULL,
  live INTEGER NOT NULL,
  renewal INTEGER NOT NULL,
  label TEXT,
  source TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX registration_account ON registration (account, prefix);
CREATE INDEX registration_age ON registration (account, renewal);
CREATE INDEX registration_prefix ON registration (prefix, live, renewal);
CREATE INDEX registration_lease ON registration (expires_at);
CREATE TABLE entry (
  prefix BLOB PRIMARY KEY,
  profile INTEGER NOT NULL,
  holders INTEGER NOT NULL,
  others INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE profile (
  number INTEGER PRIMARY KEY,
  text TEXT NOT NULL UNIQUE,
  uses INTEGER NOT NULL
) STRICT;
CREATE TABLE log (
  seq INTEGER PRIMARY KEY,
  prefix BLOB NOT NULL,
  profile TEXT
) STRICT;
CREATE TABLE idempotency (
  key BLOB PRIMARY KEY,
  account INTEGER NOT NULL REFERENCES account (number) ON DELETE CASCADE,
  fingerprint BLOB NOT NULL,
  outcome TEXT NOT NULL,
  registration TEXT,
  created_at INTEGER,
  lease_expires_at INTEGER,
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_account ON idempotency (account, expires_at);
CREATE INDEX idempotency_expiry ON idempotency (expires_at);
`;

const VERSION_2 = `
CREATE TABLE pass (
  hash BLOB PRIMARY KEY,
  kind TEXT NOT NULL,
  account INTEGER NOT NULL REFERENCES account (number) ON DELETE CASCADE,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX pass_account ON pass (account, kind, expires_at);
CREATE INDEX pass_expiry ON pass (expires_at);
CREATE TABLE update_token (
  number INTEGER PRIMARY KEY,
  id TEXT NOT NULL,
  account INTEGER NOT NULL REFERENCES account (number) ON DELETE CASCADE,
  hash BLOB NOT NULL UNIQUE,
  label TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX update_token_account ON update_token (account);
CREATE TABLE hostname (
  number INTEGER PRIMARY KEY,
  id TEXT NOT NULL,
  account INTEGER NOT NULL REFERENCES account (number) ON DELETE CASCADE,
  hostname TEXT NOT NULL,
  state TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  checked_at INTEGER,
  next_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX hostname_account ON hostname (account, hostname);
CREATE INDEX hostname_due ON hostname (next_at);
`;

/** Registrations from before evidence was kept are seen (2); those made by host names are told, but proved (1). */
const VERSION_3 = `
ALTER TABLE registration ADD COLUMN evidence INTEGER NOT NULL DEFAULT 2;
UPDATE registration SET evidence = 1 WHERE source = 'hostname';
DROP INDEX registration_prefix;
CREATE INDEX registration_prefix ON registration (prefix, live, evidence, renewal);
ALTER TABLE entry DROP COLUMN others;
ALTER TABLE hostname ADD COLUMN barred TEXT NOT NULL DEFAULT '[]';
`;

const VERSION_4 = `
CREATE TABLE private_name (
  number INTEGER PRIMARY KEY,
  id TEXT NOT NULL,
  account INTEGER NOT NULL REFERENCES account (number) ON DELETE CASCADE,
  hash BLOB NOT NULL UNIQUE,
  label TEXT NOT NULL,
  home_only INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  ipv4 TEXT,
  ipv6 TEXT
) STRICT;
CREATE INDEX private_name_account ON private_name (account);
`;

/** Rounds times to days; `lease_end` is leaseEnd of days.ts with the epoch as key. */
const VERSION_5 = `
UPDATE account SET created_at = created_at - created_at % 86400000;
ALTER TABLE account ADD COLUMN active_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE account ADD COLUMN keep INTEGER NOT NULL DEFAULT 0;
UPDATE account SET active_at = unixepoch('now', 'start of day') * 1000;
CREATE INDEX account_activity ON account (active_at) WHERE keep = 0;
ALTER TABLE registration ADD COLUMN ends_at INTEGER NOT NULL DEFAULT 0;
UPDATE registration SET created_at = created_at - created_at % 86400000,
  expires_at = expires_at - expires_at % 86400000, ends_at = lease_end(expires_at, id);
DROP INDEX registration_lease;
CREATE INDEX registration_lease ON registration (ends_at);
UPDATE idempotency SET created_at = created_at - created_at % 86400000,
  lease_expires_at = lease_expires_at - lease_expires_at % 86400000;
UPDATE update_token SET created_at = created_at - created_at % 86400000;
UPDATE private_name SET created_at = created_at - created_at % 86400000;
UPDATE hostname SET created_at = created_at - created_at % 86400000, checked_at = checked_at - checked_at % 86400000;
`;

const VERSION_6 = `
CREATE TABLE service_day (
  day INTEGER NOT NULL,
  service TEXT NOT NULL,
  region TEXT NOT NULL,
  hours TEXT NOT NULL,
  PRIMARY KEY (day, service, region)
) STRICT, WITHOUT ROWID;
`;

const VERSION_7 = `
ALTER TABLE account ADD COLUMN erases_at INTEGER;
CREATE INDEX account_erasure ON account (erases_at) WHERE erases_at IS NOT NULL;
`;

/** Creates the tables in a new file. Needs the functions of `defineFunctions`. */
export const SCHEMA = `${VERSION_1}${VERSION_2}${VERSION_3}${VERSION_4}${VERSION_5}${VERSION_6}${VERSION_7}
PRAGMA application_id = ${APPLICATION_ID};
PRAGMA user_version = ${SCHEMA_VERSION};
`;

/** Upgrades a file to the next version, by its present version. */
export const UPGRADES: readonly (string | null)[] = [
  null,
  VERSION_2,
  VERSION_3,
  VERSION_4,
  VERSION_5,
  VERSION_6,
  VERSION_7,
];
