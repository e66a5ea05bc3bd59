import { Redis, type RedisOptions } from 'ioredis';
import { parseRedisUrl, type RedisUrl, readRedisTls } from '../../../net/index.ts';
import { StoreUnavailableError } from '../../errors.ts';

/** How long one command may take: the API answers within 2 s. */
export const COMMAND_TIMEOUT_MS = 1_500;
const CONNECT_TIMEOUT_MS = 1_500;
const RETRY_FROM_MS = 50;
const RETRY_TO_MS = 1_000;

export interface ConnectOptions {
  /** Shown by CLIENT LIST. */
  name: string;
  /** 0: none (a connection whose commands block). COMMAND_TIMEOUT_MS if it is left out. */
  commandTimeoutMs?: number;
  /** False: ready as soon as it is connected and signed in; for a user who may not call INFO. */
  readyCheck?: boolean;
  /** The longest time between two attempts to connect. RETRY_TO_MS if it is left out. */
  retryToMs?: number;
}

/**
 * A connection that keeps itself: it connects again for ever (50 ms to 1 s apart). While it is not ready, a command
 * fails at once; none waits in a queue, and none is sent again by itself, for the caller decides what is repeated.
 *
 * It is not awaited: 'ready' is told by the event. Errors of the connection end in its 'error' event only, which is
 * listened to here; a message of ioredis can hold an address or a command's arguments and is not for a log.
 *
 * @throws StoreUnavailable for a URL that is none, or files of it that cannot be read.
 */
export function connectRedis(url: string, options: ConnectOptions): Redis {
  const parsed = parseRedisUrl(url);
  if ('error' in parsed) throw new StoreUnavailableError(`store: ${parsed.error}`);
  const settings: RedisOptions = {
    ...targetOptions(parsed),
    connectionName: options.name,
    connectTimeout: CONNECT_TIMEOUT_MS,
    ...(options.commandTimeoutMs !== 0 && { commandTimeout: options.commandTimeoutMs ?? COMMAND_TIMEOUT_MS }),
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    enableReadyCheck: options.readyCheck ?? true,
    retryStrategy: (attempt) => retryDelay(attempt, options.retryToMs),
    // A primary that became a replica answers so until the connection is made anew.
    reconnectOnError: (error) => /^(READONLY|UNBLOCKED)/.test(error.message),
    protocol: 2,
    disableClientInfo: true,
  };
  const redis = new Redis({ ...settings, replyMapping: 'legacy' });
  redis.on('error', () => {});
  return redis;
}

/** Milliseconds until the next attempt, with jitter, so that a thousand edges do not come at once. */
function retryDelay(attempt: number, retryToMs = RETRY_TO_MS): number {
  const delayMs = Math.min(RETRY_FROM_MS * 2 ** Math.min(attempt - 1, 10), retryToMs);
  return Math.round(delayMs * (0.5 + Math.random() / 2));
}

function targetOptions(url: RedisUrl): RedisOptions {
  const common: RedisOptions = {
    db: url.database,
    ...(url.username !== null && { username: url.username }),
    ...(url.password !== null && { password: url.password }),
  };
  const tls = url.tls ? readTls(url) : null;
  if (url.sentinel === null) {
    return { ...common, host: url.host, port: url.port, ...(tls !== null && { tls }) };
  }
  const { name, hosts, username, password } = url.sentinel;
  return {
    ...common,
    name,
    sentinels: hosts,
    role: url.role === 'replica' ? 'slave' : 'master',
    sentinelRetryStrategy: (attempt) => retryDelay(attempt),
    ...(username !== null && { sentinelUsername: username }),
    ...(password !== null && { sentinelPassword: password }),
    ...(tls !== null && { tls, sentinelTLS: tls, enableTLSForSentinelMode: true }),
  };
}

function readTls(url: RedisUrl): ReturnType<typeof readRedisTls> {
  try {
    return readRedisTls(url);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new StoreUnavailableError(`store: a certificate file cannot be read (${code ?? 'unknown'})`);
  }
}
