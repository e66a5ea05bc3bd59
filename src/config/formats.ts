import {
  type Address,
  formatAddress,
  formatPrefix,
  formatSocketAddress,
  parseAddress,
  parsePrefix,
  parseProxyUrl,
  parseRedisUrl,
  parseSocketAddress,
  prefixOf,
  scopeOf,
} from '../net/index.ts';

/** Format of a text value. */
export interface TextFormat {
  /** Completes `expected ...` in an error. */
  readonly expected: string;
  /** Returns the canonical form; null if the text does not have this format. */
  readonly parse: (text: string) => string | null;
}

const SIZE_UNITS: Readonly<Record<string, number>> = {
  '': 1,
  B: 1,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
};

/** Parses `64MiB`, `1GiB`, `512KiB` or a plain number to bytes; null for anything else. */
export function parseSize(text: string): number | null {
  const match = /^(\d{1,15})(B|KiB|MiB|GiB)?$/.exec(text);
  if (!match) return null;
  const bytes = Number(match[1]) * SIZE_UNITS[match[2] ?? '']!;
  return Number.isSafeInteger(bytes) ? bytes : null;
}

export function formatSize(bytes: number): string {
  for (const unit of ['GiB', 'MiB', 'KiB']) {
    if (bytes > 0 && bytes % SIZE_UNITS[unit]! === 0) return `${bytes / SIZE_UNITS[unit]!}${unit}`;
  }
  return String(bytes);
}

/** Ids of regions, groups and services. YAML keeps such text as a string without quotes. */
export const REGION_PATTERN = '^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$';

const region = new RegExp(REGION_PATTERN);

const PROXY = 'socks5:// or http:// and [USER:PASSWORD@]HOST:PORT';

export const FORMATS = {
  text: { expected: 'text', parse: (text) => (isPlain(text) ? text : null) },
  path: { expected: 'a path', parse: (text) => (text !== '' && isPlain(text) ? text : null) },
  id: {
    expected: 'lower-case letters, digits and hyphens',
    parse: (text) => (region.test(text) ? text : null),
  },
  'socket-address': {
    expected: 'an address and port, such as 127.0.0.1:5300 or [::1]:5300',
    parse: (text) => canonical(parseSocketAddress(text), formatSocketAddress),
  },
  'ipv4-address': {
    expected: 'an IPv4 unicast address',
    parse: (text) => canonical(unicast(text, 4), formatAddress),
  },
  'ipv6-address': {
    expected: 'an IPv6 unicast address',
    parse: (text) => canonical(unicast(text, 6), formatAddress),
  },
  address: {
    expected: 'an address',
    parse: (text) => canonical(unicast(text, 4) ?? unicast(text, 6), formatAddress),
  },
  prefix: {
    expected: 'an address or a prefix with no bits past its length, such as 10.0.0.0/8',
    parse: (text) => canonical(parsePrefix(text) ?? wholePrefix(text), formatPrefix),
  },
  'host-name': {
    expected: 'a host name',
    parse: (text) => (isHostName(text) ? text.toLowerCase().replace(/\.$/, '') : null),
  },
  'interface-name': {
    expected: 'the name of a network interface, such as eth0',
    parse: (text) => (/^(?!\.)[^\s/:]{1,15}$/.test(text) ? text : null),
  },
  'group-member': {
    expected: "a service's id or a host name",
    parse: (text) =>
      region.test(text) ? text : isHostName(text) ? text.toLowerCase().replace(/\.$/, '') : null,
  },
  email: {
    expected: 'a mail address',
    parse: (text) => (/^[^\s@<>,;:"()[\]\\]{1,64}@[^\s@]{1,255}$/.test(text) && isPlain(text) ? text : null),
  },
  'http-url': {
    expected: 'an http:// or https:// URL without a user, a query or a fragment',
    parse: httpUrl,
  },
  'bundle-url': {
    expected: 'an https://, http:// or file:// URL',
    parse: (text) => (/^(https?:\/\/[^\s/]|file:\/\/\/)\S*$/.test(text) && URL.canParse(text) ? text : null),
  },
  'bundle-key': {
    expected: 'a public key as catalog keygen prints it: 44 characters of base64',
    parse: (text) => (/^[A-Za-z\d+/]{43}=$/.test(text) ? text : null),
  },
  'admin-key': {
    expected: 'visible ASCII characters without spaces',
    parse: (text) => (/^[\x21-\x7e]*$/.test(text) ? text : null),
  },
  'operator-key': {
    expected: 'visible ASCII characters without spaces, or sha256: and 64 hexadecimal digits',
    parse: (text) => (/^[\x21-\x7e]*$/.test(text) && isOperatorKey(text) ? text : null),
  },
  'cookie-secret': {
    expected: '32 hexadecimal digits, such as openssl rand -hex 16 makes',
    parse: (text) => (/^[\da-f]{32}$/i.test(text) ? text.toLowerCase() : null),
  },
  store: {
    expected: 'embedded, or a redis:// or rediss:// URL',
    parse: (text) => (text === 'embedded' || !('error' in parseRedisUrl(text)) ? text : null),
  },
  proxy: {
    expected: PROXY,
    parse: (text) => (parseProxyUrl(text) === null ? null : text),
  },
  egress: {
    expected: `direct, or ${PROXY}`,
    parse: (text) => (text === 'direct' || parseProxyUrl(text) !== null ? text : null),
  },
  upstream: {
    expected:
      'system, or udp://, tcp://, tls:// or https:// and ADDRESS[:PORT]; tls and https with #NAME of the certificate',
    parse: (text) => (text === 'system' ? text : plainUpstream(text)),
  },
} as const satisfies Record<string, TextFormat>;

export type FormatName = keyof typeof FORMATS;

/** False for a `sha256:` that is not followed by a digest: a typing mistake must not become a key. */
function isOperatorKey(text: string): boolean {
  return !/^sha256:/i.test(text) || /^sha256:[\da-f]{64}$/i.test(text);
}

const UPSTREAM_PORTS: Readonly<Record<string, number>> = { udp: 53, tcp: 53, tls: 853, https: 443 };
const UPSTREAM = /^(udp|tcp|tls|https):\/\/([^/#?\s]+)(\/[\w./~-]*)?(#[a-z0-9.-]{1,253})?$/i;

/** `udp://9.9.9.9` -> `udp://9.9.9.9:53`. Host names are rejected: finding a resolver would need a resolver. */
function plainUpstream(text: string): string | null {
  const match = UPSTREAM.exec(text);
  if (!match) return null;
  const [, scheme, host, path, name] = match as unknown as [string, string, string, string?, string?];
  if (path !== undefined && scheme !== 'https') return null;
  if (name !== undefined && (scheme === 'udp' || scheme === 'tcp')) return null;
  const bare = parseAddress(host.replace(/^\[(.*:.*)\]$/, '$1'));
  const isBare = bare !== null && (bare.family === 4 || host.startsWith('['));
  const target = isBare ? { address: bare, port: UPSTREAM_PORTS[scheme]! } : parseSocketAddress(host);
  if (target === null || target.port === 0 || !isUnicast(target.address)) return null;
  return `${scheme}://${formatSocketAddress(target)}${path ?? ''}${name ?? ''}`;
}

function httpUrl(text: string): string | null {
  if (!/^https?:\/\/\S+$/.test(text)) return null;
  const url = URL.parse(text);
  if (url === null || url.username !== '' || url.password !== '' || /[?#]/.test(text)) return null;
  return url.href.replace(/\/+$/, '');
}

function unicast(text: string, family: 4 | 6): Address | null {
  const address = parseAddress(text);
  return address !== null && address.family === family && isUnicast(address) ? address : null;
}

function isUnicast(address: Address): boolean {
  const scope = scopeOf(address);
  return scope !== 'unspecified' && scope !== 'multicast' && !isBroadcast(address);
}

function isBroadcast(address: Address): boolean {
  return address.family === 4 && address.bytes.every((byte) => byte === 255);
}

function wholePrefix(text: string) {
  const address = parseAddress(text);
  return address === null ? null : prefixOf(address, address.bytes.length * 8);
}

function isHostName(text: string): boolean {
  return text.length <= 254 && /^(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.?)+$/i.test(text);
}

function isPlain(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is rejected
  return !/[\u0000-\u001f\u007f]/.test(text);
}

function canonical<T>(value: T | null, format: (value: T) => string): string | null {
  return value === null ? null : format(value);
}
