import {
  copyBytes,
  HEADER_BYTES,
  MAX_QUERY_BYTES,
  padMessage,
  QUERY_BLOCK_BYTES,
  setAuthenticData,
  writeQuery,
} from '../wire/index.ts';
import type { RandomSource } from './random.ts';
import type { ResolveRequest } from './request.ts';

/** What we announce to upstreams: fits an IPv6 link's least MTU with headers to spare. */
export const UPSTREAM_UDP_SIZE = 1232;

/** A query as sent to an upstream, but for its ID, which belongs to the socket that it leaves by. */
export interface UpstreamQuery {
  readonly bytes: Uint8Array;
  /** Offset behind the question. */
  readonly questionEnd: number;
  readonly hasEdns: boolean;
  /** True if the case of the name is random, so that a reply must repeat it. */
  readonly hasMixedCase: boolean;
}

const buffer = new Uint8Array(MAX_QUERY_BYTES + QUERY_BLOCK_BYTES);

/**
 * Writes a query afresh, so that nothing of the client's goes with it, ECS and cookies least of all: RD=1,
 * CD and DO as asked, and AD=1, which asks for the AD bit in the reply without asking for signatures
 * (RFC 6840 5.7); who answers the client leaves AD out again if it asked for neither AD nor DO (5.8).
 *
 * @param padded whether it goes where its length is all that can be seen of it (RFC 8467 4.1).
 * @param mixCase whether the name's letters get a random case (draft-vixie-dnsext-dns0x20).
 */
export function buildQuery(
  request: ResolveRequest,
  withEdns: boolean,
  padded: boolean,
  mixCase: boolean,
  random: RandomSource,
): UpstreamQuery {
  const end = writeQuery(buffer, {
    id: 0,
    name: request.name,
    nameLength: request.nameLength,
    type: request.type,
    qclass: request.qclass,
    checkingDisabled: request.checkingDisabled,
    udpSize: withEdns ? UPSTREAM_UDP_SIZE : null,
    dnssecOk: request.dnssecOk,
  });
  setAuthenticData(buffer);
  const nameEnd = HEADER_BYTES + request.nameLength;
  if (mixCase) random.mixCase(buffer, HEADER_BYTES, nameEnd);
  const questionEnd = nameEnd + 4;
  const length =
    padded && withEdns ? padMessage(buffer, questionEnd, end, QUERY_BLOCK_BYTES, buffer.length) : end;
  return { bytes: copyBytes(buffer, 0, length), questionEnd, hasEdns: withEdns, hasMixedCase: mixCase };
}
