import { RegistryError, StoreCorruptError, StoreUnavailableError } from '../../errors.ts';

/** What Redis says of itself and not of a command's arguments: fit to be shown. */
const REASONS: Readonly<Record<string, string>> = {
  OOM: 'out of memory (OOM)',
  READONLY: 'a replica that takes no changes (READONLY)',
  LOADING: 'reading its data (LOADING)',
  MASTERDOWN: 'a replica without its primary (MASTERDOWN)',
  MISCONF: 'unable to write its files (MISCONF)',
  NOREPLICAS: 'without as many replicas as it must have (NOREPLICAS)',
  BUSY: 'busy with a script (BUSY)',
  NOAUTH: 'in want of a password (NOAUTH)',
  WRONGPASS: 'not given the right user and password (WRONGPASS)',
  NOPERM: 'not letting this user do it (NOPERM)',
  CLUSTERDOWN: 'part of a cluster that is down (CLUSTERDOWN)',
  MOVED: 'a node of a cluster that has not these keys (MOVED)',
};

/**
 * The first word of an error of Redis; 'TIMEOUT' and 'CONNECTION' for those of the connection. An error inside a
 * script is told with the script's name around it.
 */
export function redisCode(fault: unknown): string {
  const { name, message = '' } = fault as Partial<Error>;
  if (message === 'Command timed out') return 'TIMEOUT';
  if (name !== 'ReplyError') return 'CONNECTION';
  // Before 7.0 a script wraps the error: "ERR Error running script (...): @user_script:1: -READONLY You can't ..."
  const inner = /@user_script: ?\d+: -?([A-Z]{2,}) /.exec(message)?.[1];
  return inner ?? /^-?([A-Z]+)/.exec(message)?.[1] ?? 'ERR';
}

const CERTIFICATE = /^(?:CERT_|ERR_TLS_|ERR_SSL_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|HOSTNAME_MISMATCH)/;

/**
 * Why a connection does not come about, where a person has to do something about it: Redis' word (WRONGPASS), or what
 * is wrong with its certificate (CERT_HAS_EXPIRED). Null for what passes by itself, and for a server that is away.
 */
export function refusalOf(fault: unknown): string | null {
  const { name, code } = fault as { name?: string; code?: unknown };
  if (name !== 'ReplyError') return typeof code === 'string' && CERTIFICATE.test(code) ? code : null;
  const word = redisCode(fault);
  return word in REASONS ? word : null;
}

/** What a caller is told: the code alone, for an error's text can hold a command's arguments. */
export function redisFault(fault: unknown): RegistryError {
  if (fault instanceof RegistryError) return fault;
  const code = redisCode(fault);
  if (code === 'WRONGTYPE')
    return new StoreCorruptError('Redis: keys of ours hold something else (WRONGTYPE)');
  if (code === 'TIMEOUT') return new StoreUnavailableError('Redis did not answer in time');
  if (code === 'CONNECTION') return new StoreUnavailableError('Redis is not connected');
  return new StoreUnavailableError(`Redis is ${REASONS[code] ?? `unable to do it (${code})`}`);
}
