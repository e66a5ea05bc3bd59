import { Redis, type RedisOptions } from 'ioredis';
import { parseRedisUrl, type RedisUrl, readRedisTls, sameRedisUser } from '../../../net/index.ts';
import { StoreUnavailableError } from '../../errors.ts';
import { redisCode } from './redis-error.ts';

/** Timeout of a command: the API answers within 2 s. */
export const COMMAND_TIMEOUT_MS = 1_500;
const CONNECT_TIMEOUT_MS = 1_500;
const RETRY_FROM_MS = 50;
const RETRY_TO_MS = 1_000;

export interface ConnectOptions {
  /** Name in CLIENT LIST. */
  name: string;
  /** 0: no timeout, for commands that block. Default COMMAND_TIMEOUT_MS. */
  commandTimeoutMs?: number;
  /** False for users who may not call INFO: the connection is ready once it is authenticated. */
  readyCheck?: boolean;
  /** Longest delay between attempts to connect. Default RETRY_TO_MS. */
  retryToMs?: number;
}

/** Connections of this process, by the URL they were opened with. */
const connections = new Map<Redis, string>();

/**
 * Gives connections to the same server and user the URL's passwords: at once, and for later attempts to connect.
 * @returns the code of Redis's refusal, WRONGPASS for instance; such a connection goes on with the old password. Null: none refused
 */
export async function useRedisPasswords(url: string): Promise<string | null> {
  const parsed = parseRedisUrl(url);
  if ('error' in parsed) return null;
  const { username, password, sentinel } = parsed;
  const answers: Promise<string | null>[] = [];
  for (const [redis, openedWith] of connections) {
    if (!sameRedisUser(openedWith, url)) continue;
    if (password === null) delete redis.options.password;
    else redis.options.password = password;
    if (sentinel !== null && sentinel.password !== null) redis.options.sentinelPassword = sentinel.password;
    if (password === null || redis.status !== 'ready') continue;
    const login = username === null ? redis.auth(password) : redis.auth(username, password);
    answers.push(login.then(() => null, redisCode));
  }
  return (await Promise.all(answers)).find((code) => code !== null) ?? null;
}

/**
 * Opens a connection that reconnects for ever, with backoff (50 ms to 1 s). While it is down, commands fail at once:
 * none is queued or repeated, because only the caller knows what may be repeated.
 *
 * Does not wait; listen for 'ready'. Do not log ioredis' messages: they may hold addresses or command arguments.
 *
 * @throws StoreUnavailableError for an invalid URL, or certificate files that cannot be read
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
    // A primary that became a replica answers this until the client reconnects.
    reconnectOnError: (error) => /^(READONLY|UNBLOCKED)/.test(error.message),
    protocol: 2,
    disableClientInfo: true,
  };
  const redis = new Redis({ ...settings, replyMapping: 'legacy' });
  redis.on('error', () => {});
  keepConnecting(redis, options.retryToMs);
  connections.set(redis, url);
  return redis;
}

/**
 * Connects again where ioredis gives up: a disconnect while it asks Sentinels, by a timeout of ours or a failover, ends the
 * client for good.
 */
function keepConnecting(redis: Redis, retryToMs: number | undefined): void {
  let isClosed = false;
  let attempt = 0;
  const disconnect = redis.disconnect.bind(redis);
  redis.disconnect = (reconnect = false) => {
    if (!reconnect) {
      isClosed = true;
      connections.delete(redis);
    }
    disconnect(reconnect);
  };
  redis.on('ready', () => {
    attempt = 0;
  });
  redis.on('end', () => {
    if (isClosed) return;
    attempt += 1;
    setTimeout(
      () => {
        if (!isClosed && redis.status === 'end') redis.connect().catch(() => {});
      },
      retryDelay(attempt, retryToMs),
    ).unref();
  });
}

/** Milliseconds until the next attempt, with jitter so that a thousand edges do not reconnect at once. */
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
    // A primary that is cut off from its Sentinels would keep its clients.
    failoverDetector: true,
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
