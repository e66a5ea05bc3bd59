import { networkInterfaces } from 'node:os';
import { parseAddress } from '../../net/index.ts';
import { peerName } from '../../sys/index.ts';
import type { DatagramRemote } from './datagram-pool.ts';

/** Socket address of an upstream; null if its zone is not an interface of this host. */
export function upstreamPeerName({ address: text, family, port }: DatagramRemote): Uint8Array | null {
  const [literal, zone] = text.split('%');
  const address = parseAddress(literal);
  const scopeId = zone === undefined ? 0 : scopeOfZone(zone);
  return address === null || scopeId === null
    ? null
    : peerName({ family, address: address.bytes, port, scopeId });
}

function scopeOfZone(zone: string): number | null {
  if (/^\d{1,9}$/.test(zone)) return Number(zone);
  const found = networkInterfaces()[zone]?.find(({ family }) => family === 'IPv6');
  return found?.family === 'IPv6' ? found.scopeid : null;
}
