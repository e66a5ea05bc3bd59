import { readFileSync } from 'node:fs';

/** Parts of a redis:// or rediss:// URL. */
export interface RedisUrl {
  tls: boolean;
  host: string;
  port: number;
  username: string | null;
  password: string | null;
  database: number;
  /** Sentinels that know the primary; null: `host` is the server itself. */
  sentinel: {
    /** Sentinel group name: the URL's host. */
    name: string;
    hosts: { host: string; port: number }[];
    username: string | null;
    password: string | null;
  } | null;
  /** Server of a Sentinel group to connect to. */
  role: 'primary' | 'replica';
  /** PEM files. */
  caFile: string | null;
  certFile: string | null;
  keyFile: string | null;
  /** Name in the server's certificate if it is not the host. */
  serverName: string | null;
}

const REDIS_PORT = 6379;
const SENTINEL_PORT = 26_379;
const MAX_DATABASE = 65_535;
const PARAMETERS = [
  'sentinels',
  'sentinelUser',
  'sentinelPassword',
  'role',
  'caFile',
  'certFile',
  'keyFile',
  'serverName',
];

/**
 * Reads the URL of a Redis server:
 *
 *   redis[s]://[user][:password]@host[:port][/database][?parameter=value&...]
 *
 * `sentinels=host:port,host:port` makes the host the name of a Sentinel group (with sentinelUser and
 * sentinelPassword); `role=replica` reads from a replica of it. `caFile`, `certFile`, `keyFile` (PEM) and `serverName`
 * belong to rediss://.
 *
 * @returns the parts, or what is wrong with it: fit to be shown, it never holds the URL or a part of it.
 */
export function parseRedisUrl(text: string): RedisUrl | { error: string } {
  let url: URL;
  try {
    // Use a scheme that URL knows, so that host and port are parsed.
    url = new URL(text.replace(/^rediss?:/, 'http:'));
  } catch {
    return { error: 'a URL that does not look like redis://user:password@host:port/0' };
  }
  const scheme = /^rediss?(?=:\/\/)/.exec(text)?.[0];
  if (scheme === undefined) return { error: 'a scheme other than redis:// and rediss://' };
  const strange = [...url.searchParams.keys()].find((name) => !PARAMETERS.includes(name));
  if (strange !== undefined) return { error: `a parameter other than ${PARAMETERS.join(', ')}` };
  const database = /^\/?(\d{0,5})$/.exec(url.pathname)?.[1];
  if (database === undefined || Number(database) > MAX_DATABASE || url.hash !== '') {
    return { error: 'a path other than a database number' };
  }
  const get = (name: string): string | null => url.searchParams.get(name) || null;
  const role = get('role') ?? 'primary';
  if (role !== 'primary' && role !== 'replica') return { error: 'a role other than primary and replica' };
  const tls = scheme === 'rediss';
  const tlsOnly = ['caFile', 'certFile', 'keyFile', 'serverName'].some((name) => get(name) !== null);
  if (tlsOnly && !tls) return { error: 'a parameter of TLS in a URL that is not rediss://' };
  const sentinel = parseSentinel(url, get);
  if (sentinel !== null && 'error' in sentinel) return sentinel;
  if (sentinel === null && role === 'replica')
    return { error: 'role=replica without sentinels: name the replica itself' };
  const username = decoded(url.username);
  const password = decoded(url.password);
  if (username === undefined || password === undefined)
    return { error: 'a user or password that is not percent-encoded' };
  return {
    tls,
    host: url.hostname.replace(/^\[|\]$/g, ''),
    // URL drops port 80, http's default, so look for it in the text.
    port:
      url.port === ''
        ? /:80(?=[/?#]|$)/.test(text.slice(scheme.length + 3))
          ? 80
          : REDIS_PORT
        : Number(url.port),
    username,
    password,
    database: Number(database),
    sentinel,
    role,
    caFile: get('caFile'),
    certFile: get('certFile'),
    keyFile: get('keyFile'),
    serverName: get('serverName'),
  };
}

/** True if two URLs name the same server and user, whatever the passwords. */
export function sameRedisUser(one: string, other: string): boolean {
  const [a, b] = [parseRedisUrl(one), parseRedisUrl(other)];
  if ('error' in a || 'error' in b) return false;
  return JSON.stringify(withoutPasswords(a)) === JSON.stringify(withoutPasswords(b));
}

function withoutPasswords({ password: _, sentinel, ...url }: RedisUrl): object {
  return { ...url, sentinel: sentinel && { ...sentinel, password: null } };
}

/** Reads the PEM files that the URL names. Throws what readFileSync throws. */
export function readRedisTls(url: RedisUrl): {
  ca?: string;
  cert?: string;
  key?: string;
  servername?: string;
} {
  const read = (path: string): string => readFileSync(path, 'utf8');
  return {
    ...(url.caFile !== null && { ca: read(url.caFile) }),
    ...(url.certFile !== null && { cert: read(url.certFile) }),
    ...(url.keyFile !== null && { key: read(url.keyFile) }),
    ...(url.serverName !== null && { servername: url.serverName }),
  };
}

function parseSentinel(
  url: URL,
  get: (name: string) => string | null,
): RedisUrl['sentinel'] | { error: string } {
  const list = get('sentinels');
  if (list === null) return null;
  const hosts: { host: string; port: number }[] = [];
  for (const one of list.split(',')) {
    const match = /^(\[[0-9a-fA-F:.]+\]|[^:[\]]+)(?::(\d{1,5}))?$/.exec(one.trim());
    if (match === null) return { error: 'sentinels that are not a list of host:port' };
    hosts.push({ host: match[1].replace(/^\[|\]$/g, ''), port: Number(match[2] ?? SENTINEL_PORT) });
  }
  return {
    name: url.hostname,
    hosts,
    username: get('sentinelUser'),
    password: get('sentinelPassword'),
  };
}

/** undefined: not decodable; null: absent. */
function decoded(text: string): string | null | undefined {
  try {
    return text === '' ? null : decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
