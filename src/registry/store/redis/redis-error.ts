import { RegistryError, StoreCorruptError, StoreUnavailableError } from '../../errors.ts';

/** Errors about Redis itself, not about a command's arguments: these may be shown. */
const REASONS: Readonly<Record<string, string>> = {
  OOM: 'is out of memory (OOM)',
  READONLY: 'is a replica and takes no changes (READONLY)',
  LOADING: 'is loading its data (LOADING)',
  MASTERDOWN: 'is a replica without its primary (MASTERDOWN)',
  MISCONF: 'cannot write its files (MISCONF)',
  NOREPLICAS: 'has fewer replicas than it must have (NOREPLICAS)',
  BUSY: 'is busy with a script (BUSY)',
  NOAUTH: 'requires a password (NOAUTH)',
  WRONGPASS: 'rejected the user or password (WRONGPASS)',
  NOPERM: 'does not permit this user to do it (NOPERM)',
  CLUSTERDOWN: 'is part of a cluster that is down (CLUSTERDOWN)',
  MOVED: 'is a cluster node without these keys (MOVED)',
};

/** Returns the code of a Redis error; 'TIMEOUT' and 'CONNECTION' for errors of the connection. */
export function redisCode(error: unknown): string {
  const { name, message = '' } = error as Partial<Error>;
  if (message === 'Command timed out') return 'TIMEOUT';
  if (name !== 'ReplyError') return 'CONNECTION';
  // Before 7.0 a script wraps the error: "ERR Error running script (...): @user_script:1: -READONLY You can't ..."
  const inner = /@user_script: ?\d+: -?([A-Z]{2,}) /.exec(message)?.[1];
  return inner ?? /^-?([A-Z]+)/.exec(message)?.[1] ?? 'ERR';
}

const CERTIFICATE = /^(?:CERT_|ERR_TLS_|ERR_SSL_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|HOSTNAME_MISMATCH)/;

/**
 * Returns why a connection fails until a person acts: a Redis code (WRONGPASS) or a certificate error
 * (CERT_HAS_EXPIRED). Null for errors that pass by themselves, and for a server that is away.
 */
export function refusalOf(error: unknown): string | null {
  const { name, code } = error as { name?: string; code?: unknown };
  if (name !== 'ReplyError') return typeof code === 'string' && CERTIFICATE.test(code) ? code : null;
  const word = redisCode(error);
  return word in REASONS ? word : null;
}

/** Converts an error into the registry's. Keeps the code only: an error's text can hold a command's arguments. */
export function toStoreError(error: unknown): RegistryError {
  if (error instanceof RegistryError) return error;
  const code = redisCode(error);
  if (code === 'WRONGTYPE') {
    return new StoreCorruptError('Redis: keys of ours hold another type of data (WRONGTYPE)');
  }
  if (code === 'TIMEOUT') return new StoreUnavailableError('Redis did not answer in time');
  if (code === 'CONNECTION') return new StoreUnavailableError('Redis is not connected');
  return new StoreUnavailableError(`Redis ${REASONS[code] ?? `could not do it (${code})`}`);
}
