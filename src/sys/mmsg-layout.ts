import type { Libc } from './libc.ts';
import { AF_INET, AF_INET6, IP_PKTINFO, IPV6_PKTINFO, SOL_IP, SOL_IPV6 } from './socket.ts';

/*
 * Layouts of 64-bit Linux, in 32-bit words (include/linux/socket.h):
 *
 *   struct mmsghdr  16 words: 0 msg_name*  2 msg_namelen  4 msg_iov*  6 msg_iovlen
 *                             8 msg_control*  10 msg_controllen  12 msg_flags  14 msg_len
 *   struct iovec     4 words: 0 iov_base*  2 iov_len
 *   struct cmsghdr            cmsg_len (8 bytes), cmsg_level (4), cmsg_type (4), data
 */
export const HEADER_WORDS = 16;
export const NAME = 0;
export const NAME_LENGTH = 2;
export const IOV = 4;
export const IOV_COUNT = 6;
export const CONTROL = 8;
export const CONTROL_LENGTH = 10;
export const MESSAGE_LENGTH = 14;
export const IOV_WORDS = 4;
export const NAME_STRIDE = 32;
/** Room for one in_pktinfo (28 bytes used) or in6_pktinfo (36), padded to 40. */
export const CONTROL_STRIDE = 40;
export const CMSG_HEADER_BYTES = 16;
export const IN_PKTINFO_BYTES = 12;
export const IN6_ADDRESS_BYTES = 16;
/** Offset within sockaddr_in6. */
export const SCOPE_ID = 24;
/** Offsets within in_pktinfo: ipi_ifindex, ipi_spec_dst (the local address), ipi_addr (the destination of the header). */
export const IN_SPEC_DST = CMSG_HEADER_BYTES + 4;
export const MSG_WAITFORONE = 0x10000;
export const MSG_DONTWAIT = 0x40;

/** Size of a packet's endpoint, as readEndpoint writes it: socket address and control message. */
export const ENDPOINT_BYTES = NAME_STRIDE + CONTROL_STRIDE + 8;

/**
 * Computes the addresses of `count` slots of a view, `stride` bytes apart, as 32-bit words (low, high) for kernel structs.
 */
export function pointersInto(
  libc: Libc,
  view: Uint8Array | Uint32Array,
  stride: number,
  count: number,
): Uint32Array {
  const [low, high] = libc.addressOf(view);
  const words = new Uint32Array(count * 2);
  for (let i = 0; i < count; i++) {
    const address = low + i * stride;
    words[i * 2] = address % 0x1_0000_0000;
    words[i * 2 + 1] = high + Math.floor(address / 0x1_0000_0000);
  }
  return words;
}

/**
 * Writes an endpoint in readEndpoint's format, for a packet that did not come by a socket.
 * @param bytes holds the peer's and our own address, 4 or 16 bytes in network order, at peerAt and localAt
 * @param interfaceIndex zone of a link-local peer
 */
export function encodeEndpoint(
  out: Uint8Array,
  offset: number,
  family: 4 | 6,
  bytes: Uint8Array,
  peerAt: number,
  localAt: number,
  port: number,
  interfaceIndex: number,
): void {
  const ipv4 = family === 4;
  const addressBytes = ipv4 ? 4 : IN6_ADDRESS_BYTES;
  for (let k = 0; k < ENDPOINT_BYTES; k++) out[offset + k] = 0;
  out[offset] = ipv4 ? AF_INET : AF_INET6;
  out[offset + 2] = port >> 8;
  out[offset + 3] = port & 0xff;
  const name = offset + (ipv4 ? 4 : 8);
  for (let k = 0; k < addressBytes; k++) out[name + k] = bytes[peerAt + k];
  if (!ipv4 && out[name] === 0xfe && (out[name + 1] & 0xc0) === 0x80) {
    for (let k = 0; k < 4; k++) out[offset + SCOPE_ID + k] = (interfaceIndex >> (8 * k)) & 0xff;
  }
  const control = offset + NAME_STRIDE;
  out[control] = CMSG_HEADER_BYTES + (ipv4 ? IN_PKTINFO_BYTES : IN6_ADDRESS_BYTES + 4);
  out[control + 8] = ipv4 ? SOL_IP : SOL_IPV6;
  out[control + 12] = ipv4 ? IP_PKTINFO : IPV6_PKTINFO;
  const local = control + (ipv4 ? IN_SPEC_DST : CMSG_HEADER_BYTES);
  for (let k = 0; k < addressBytes; k++) out[local + k] = bytes[localAt + k];
  out[control + CONTROL_STRIDE] = family;
}

/** Reads a 32-bit word in network order. */
export function readWord(bytes: Uint8Array, at: number): number {
  return ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0;
}
