import { NoSystemUpstreamError } from './errors.ts';
import { parseLiteral, parseUpstream, type UpstreamConfig } from './upstream/url.ts';

const DNS_PORT = 53;
/** More than the C library's three, but bounded. */
const MAX_NAMESERVERS = 8;

/** Address and port of a listener. */
export interface LocalListener {
  /** An IP literal; 0.0.0.0 or :: for all addresses of this host. */
  readonly address: string;
  readonly port: number;
}

export interface SystemOptions {
  /** Usually /etc/resolv.conf. */
  readonly path: string;
  readonly readFile: (path: string) => string;
  /** Our own DNS listeners. A host that resolves through us must not make us ask ourselves. */
  readonly listeners: readonly LocalListener[];
  /** Addresses of this host's interfaces, on which wildcard listeners answer. */
  readonly localAddresses: readonly string[];
}

export interface SystemUpstreams {
  /** At least one, in the file's order. */
  readonly upstreams: readonly UpstreamConfig[];
  /** Addresses left out because they are our own. */
  readonly own: readonly string[];
  /** Lines whose nameserver is not an IP address. */
  readonly unreadableLines: readonly number[];
}

/**
 * Reads the host's resolvers, for the upstream `system` (resolv.conf(5)).
 * @throws NoSystemUpstreamError if the file is unreadable or names only ourselves
 */
export function readSystemUpstreams(options: SystemOptions): SystemUpstreams {
  const { addresses, unreadableLines } = parseNameservers(readOrThrow(options));
  const isOwn = ownAddressTest(options);
  const own = addresses.filter(isOwn);
  const upstreams = addresses
    .filter((address) => !isOwn(address))
    .slice(0, MAX_NAMESERVERS)
    .map(toConfig);
  if (upstreams.length > 0) return { upstreams, own, unreadableLines };
  const found =
    own.length > 0 ? `only this process itself (${own.join(', ')})` : 'no nameserver with an IP address';
  throw new NoSystemUpstreamError(options.path, found);
}

function readOrThrow({ path, readFile }: SystemOptions): string {
  try {
    return readFile(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new NoSystemUpstreamError(path, `that it cannot be read (${code ?? 'unknown error'})`);
  }
}

function parseNameservers(text: string): { addresses: string[]; unreadableLines: number[] } {
  const addresses = new Set<string>();
  const unreadableLines: number[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    // Comments and keywords start at the first character of a line.
    const match = /^nameserver[ \t]+(\S+)/.exec(line);
    if (match === null) continue;
    const literal = parseLiteral(match[1]);
    if (literal === null) unreadableLines.push(index + 1);
    else addresses.add(literal.address);
  }
  return { addresses: [...addresses], unreadableLines };
}

function toConfig(address: string): UpstreamConfig {
  const isIPv6 = address.includes(':');
  const url = `udp://${isIPv6 ? `[${address}]` : address}:${DNS_PORT}`;
  return parseUpstream(url);
}

/** Makes a test for addresses on which we listen at port 53. */
function ownAddressTest({ listeners, localAddresses }: SystemOptions): (address: string) => boolean {
  const canonical = (text: string): string => parseLiteral(text)?.address ?? text;
  const withoutZone = (text: string): string => text.replace(/%.*$/, '');
  const listening = new Set<string>();
  for (const listener of listeners) {
    if (listener.port === DNS_PORT) listening.add(canonical(listener.address));
  }
  const local = new Set(localAddresses.map((address) => withoutZone(canonical(address))));
  return (address) => {
    const isIPv6 = address.includes(':');
    // A socket on :: usually takes IPv4, too.
    const onAll = listening.has('::') || (!isIPv6 && listening.has('0.0.0.0'));
    // Asking 0.0.0.0 or :: means asking this host.
    if (address === '0.0.0.0' || address === '::') return listening.size > 0;
    if (onAll && isLocal(address, local)) return true;
    return listening.has(address) || listening.has(withoutZone(address));
  };

  function isLocal(address: string, known: ReadonlySet<string>): boolean {
    return address.startsWith('127.') || address === '::1' || known.has(withoutZone(address));
  }
}
