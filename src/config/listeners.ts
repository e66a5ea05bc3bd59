import { parseSocketAddress, type SocketAddress } from '../net/index.ts';
import type { FileConfig, Role } from './schema.ts';

export interface Listener {
  /** Path of its key, such as `dns.udp[0]`. */
  readonly key: string;
  readonly protocol: 'udp' | 'tcp';
  readonly text: string;
  readonly socketAddress: SocketAddress;
}

interface ListenerKey {
  readonly key: string;
  readonly protocol: 'udp' | 'tcp';
  /** Role that opens it; null: every process. */
  readonly role: Role | null;
  readonly addresses: (config: FileConfig) => readonly string[];
}

const LISTENER_KEYS: readonly ListenerKey[] = [
  { key: 'dns.udp', protocol: 'udp', role: 'edge', addresses: (config) => config.dns.udp },
  { key: 'dns.tcp', protocol: 'tcp', role: 'edge', addresses: (config) => config.dns.tcp },
  { key: 'dns.tls', protocol: 'tcp', role: 'edge', addresses: (config) => config.dns.tls },
  { key: 'dns.https', protocol: 'tcp', role: 'edge', addresses: (config) => config.dns.https },
  { key: 'control.listen', protocol: 'tcp', role: 'control', addresses: (config) => config.control.listen },
  { key: 'relay.tls', protocol: 'tcp', role: 'relay', addresses: (config) => config.relay.tls },
  { key: 'relay.http', protocol: 'tcp', role: 'relay', addresses: (config) => config.relay.http },
  { key: 'relay.quic', protocol: 'udp', role: 'relay', addresses: (config) => config.relay.quic },
  { key: 'metrics.listen', protocol: 'tcp', role: null, addresses: (config) => config.metrics.listen },
];

/** Lists the listeners that the process opens in its roles, in the order of the schema. */
export function listenersOf(config: FileConfig): Listener[] {
  return LISTENER_KEYS.filter(({ role }) => role === null || config.roles.includes(role)).flatMap(
    ({ key, protocol, addresses }) =>
      addresses(config).map((text, index) => {
        return { key: `${key}[${index}]`, protocol, text, socketAddress: parseSocketAddress(text)! };
      }),
  );
}

/**
 * True if two listeners cannot both be open. A wildcard takes the port on every address of its family only
 * (IPv6 listeners set IPV6_V6ONLY). Port 0 is a free port each time.
 */
export function collide(a: Listener, b: Listener): boolean {
  if (a.protocol !== b.protocol || a.socketAddress.port !== b.socketAddress.port) return false;
  if (a.socketAddress.port === 0) return false;
  const [one, other] = [a.socketAddress.address, b.socketAddress.address];
  if (one.family !== other.family) return false;
  return isWildcard(one.bytes) || isWildcard(other.bytes) || Buffer.compare(one.bytes, other.bytes) === 0;
}

function isWildcard(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}
