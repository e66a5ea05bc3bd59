import { type Address, addressFromBytes, sameAddress } from '../net/index.ts';
import { RecordClass, RecordCursor, RecordType } from '../wire/index.ts';

/** Attempts at more addresses would not fit into CONNECT_TIMEOUT_MS. */
const MAX_ADDRESSES_PER_FAMILY = 4;

/**
 * Reads the A or AAAA records of an answer.
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

/** Interleaves the families, IPv6 first (RFC 8305 section 4). */
export function interleave(ipv6: readonly Address[], ipv4: readonly Address[]): Address[] {
  const order: Address[] = [];
  for (let i = 0; i < Math.max(ipv6.length, ipv4.length); i++) {
    for (const address of [ipv6[i], ipv4[i]]) {
      // An IPv4-mapped AAAA equals the A record of the same host.
      if (address && !order.some((known) => sameAddress(known, address))) order.push(address);
    }
  }
  return order;
}
