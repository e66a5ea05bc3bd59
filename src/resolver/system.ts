import { NoSystemUpstreamError } from './errors.ts';
import { parseLiteral, parseUpstream, type UpstreamConfig } from './upstream/url.ts';

const DNS_PORT = 53;
/** More than the C library's three, and bounded. */
const MAX_NAMESERVERS = 8;

/** An address and port, as listeners have it. */
export interface LocalListener {
  /** An IP literal; 0.0.0.0 or :: for all of this host's. */
  readonly address: string;
  readonly port: number;
}

export interface SystemOptions {
  /** /etc/resolv.conf, or where else the host's resolvers are named. */
  readonly path: string;
  readonly readFile: (path: string) => string;
  /** Our own DNS listeners: a host that resolves through us must not make us ask ourselves. */
  readonly listeners: readonly LocalListener[];
  /** The addresses of this host's interfaces, which a listener on all of them answers on. */
  readonly localAddresses: readonly string[];
}

export interface SystemUpstreams {
  /** At least one, in the file's order. */
  readonly upstreams: readonly UpstreamConfig[];
  /** Addresses left out as they are our own. */
  readonly own: readonly string[];
  /** Lines with a nameserver that is no IP address. */
  readonly unreadableLines: readonly number[];
}

/**
 * The resolvers that the host uses, for upstreams of `system` (resolv.conf(5)).
 * @throws NoSystemUpstreamError if the file cannot be read or names none but ourselves.
 */
export function readSystemUpstreams(options: SystemOptions): SystemUpstreams {
  const { addresses, unreadableLines } = parseNameservers(readOrFault(options));
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

function readOrFault({ path, readFile }: SystemOptions): string {
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
    // A comment is one by its first character; the keyword, too, stands at the start of its line.
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

/** Whether an address, at port 53, is one of our listeners'. */
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
    // A socket on :: takes IPv4 as well, unless it was told not to.
    const onAll = listening.has('::') || (!isIPv6 && listening.has('0.0.0.0'));
    // To ask 0.0.0.0 or :: is to ask this host.
    if (address === '0.0.0.0' || address === '::') return listening.size > 0;
    if (onAll && isLocal(address, local)) return true;
    return listening.has(address) || listening.has(withoutZone(address));
  };

  function isLocal(address: string, known: ReadonlySet<string>): boolean {
    return address.startsWith('127.') || address === '::1' || known.has(withoutZone(address));
  }
}
