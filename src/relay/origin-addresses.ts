import { type Address, addressFromBytes, sameAddress } from '../net/index.ts';
import { RecordClass, RecordCursor, RecordType } from '../wire/index.ts';

/** More of a family are not tried: the attempts would not end in time. */
const MAX_ADDRESSES_PER_FAMILY = 4;

/** What a name resolves to, each family by itself. */
export interface OriginAddresses {
  readonly ipv6: readonly Address[];
  readonly ipv4: readonly Address[];
}

export const NO_ADDRESSES: OriginAddresses = { ipv6: [], ipv4: [] };

/**
 * The addresses of an answer's A or AAAA records.
 * @param message holds the answer section from recordsOffset on
 */
export function readAddresses(
  message: Uint8Array,
  length: number,
  recordsOffset: number,
  count: number,
  type: number,
): Address[] {
  const cursor = new RecordCursor();
  cursor.begin(message, length, recordsOffset);
  const addresses: Address[] = [];
  const size = type === RecordType.A ? 4 : 16;
  for (let i = 0; i < count && addresses.length < MAX_ADDRESSES_PER_FAMILY && cursor.next(); i++) {
    if (cursor.type !== type || cursor.rclass !== RecordClass.IN || cursor.rdataLength !== size) continue;
    addresses.push(addressFromBytes(message.subarray(cursor.rdataOffset, cursor.rdataOffset + size)));
  }
  return addresses;
}

/** The order to try them in: IPv6 first, then each family in turn (RFC 8305, 4). */
export function inTurn({ ipv6, ipv4 }: OriginAddresses): Address[] {
  const order: Address[] = [];
  for (let i = 0; i < Math.max(ipv6.length, ipv4.length); i++) {
    for (const address of [ipv6[i], ipv4[i]]) {
      // A mapped address in AAAA is an IPv4 one, which A may have given too.
      if (address && !order.some((known) => sameAddress(known, address))) order.push(address);
    }
  }
  return order;
}
