import { readFileSync } from 'node:fs';

/** What a redis:// or rediss:// URL says. */
export interface RedisUrl {
  tls: boolean;
  host: string;
  port: number;
  username: string | null;
  password: string | null;
  database: number;
  /** With Sentinel: whom to ask where the primary is. Null: `host` is the server itself. */
  sentinel: {
    /** What the sentinels call the group: the URL's host. */
    name: string;
    hosts: { host: string; port: number }[];
    username: string | null;
    password: string | null;
  } | null;
  /** Which server of a Sentinel group is read from. */
  role: 'primary' | 'replica';
  /** PEM files. */
  caFile: string | null;
  certFile: string | null;
  keyFile: string | null;
  /** The name that the server's certificate must have, where it is not the host. */
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
export function parseRedisUrl(text: string): RedisUrl | { fault: string } {
  let url: URL;
  try {
    // Of a scheme that URL knows, so that host and port are read as such.
    url = new URL(text.replace(/^rediss?:/, 'http:'));
  } catch {
    return { fault: 'no URL of the form redis://user:password@host:port/0' };
  }
  const scheme = /^rediss?(?=:\/\/)/.exec(text)?.[0];
  if (scheme === undefined) return { fault: 'a scheme other than redis:// and rediss://' };
  const strange = [...url.searchParams.keys()].find((name) => !PARAMETERS.includes(name));
  if (strange !== undefined) return { fault: `a parameter that is none of ${PARAMETERS.join(', ')}` };
  const database = /^\/?(\d{0,5})$/.exec(url.pathname)?.[1];
  if (database === undefined || Number(database) > MAX_DATABASE || url.hash !== '') {
    return { fault: 'a path that is no database number' };
  }
  const get = (name: string): string | null => url.searchParams.get(name) || null;
  const role = get('role') ?? 'primary';
  if (role !== 'primary' && role !== 'replica')
    return { fault: 'a role that is neither primary nor replica' };
  const tls = scheme === 'rediss';
  const tlsOnly = ['caFile', 'certFile', 'keyFile', 'serverName'].some((name) => get(name) !== null);
  if (tlsOnly && !tls) return { fault: 'a parameter of TLS in a URL that is not rediss://' };
  const sentinel = parseSentinel(url, get);
  if (sentinel !== null && 'fault' in sentinel) return sentinel;
  if (sentinel === null && role === 'replica')
    return { fault: 'role=replica without sentinels: name the replica itself' };
  const username = decoded(url.username);
  const password = decoded(url.password);
  if (username === undefined || password === undefined)
    return { fault: 'a user or password that is not percent-encoded' };
  return {
    tls,
    host: url.hostname.replace(/^\[|\]$/g, ''),
    // The standard port of http, which URL leaves out, can only be told from the text.
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

/** The PEM texts that the URL names. Throws what reading a file throws. */
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
): RedisUrl['sentinel'] | { fault: string } {
  const list = get('sentinels');
  if (list === null) return null;
  const hosts: { host: string; port: number }[] = [];
  for (const one of list.split(',')) {
    const match = /^(\[[0-9a-fA-F:.]+\]|[^:[\]]+)(?::(\d{1,5}))?$/.exec(one.trim());
    if (match === null) return { fault: 'sentinels that are no list of host:port' };
    hosts.push({ host: match[1].replace(/^\[|\]$/g, ''), port: Number(match[2] ?? SENTINEL_PORT) });
  }
  return {
    name: url.hostname,
    hosts,
    username: get('sentinelUser'),
    password: get('sentinelPassword'),
  };
}

/** undefined: it cannot be decoded; null: there is none. */
function decoded(text: string): string | null | undefined {
  try {
    return text === '' ? null : decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
