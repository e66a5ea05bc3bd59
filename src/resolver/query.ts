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

/** Announced to upstreams: fits the minimum MTU of IPv6 with room for headers. */
export const UPSTREAM_UDP_SIZE = 1232;

/** A query to an upstream; its ID is set by the socket that sends it. */
export interface UpstreamQuery {
  readonly bytes: Uint8Array;
  /** Offset behind the question. */
  readonly questionEnd: number;
  readonly hasEdns: boolean;
  /** True if the name's case is random, so that a reply must repeat it. */
  readonly hasMixedCase: boolean;
}

const buffer = new Uint8Array(MAX_QUERY_BYTES + QUERY_BLOCK_BYTES);

/**
 * Writes a new query, so that nothing of the client's is passed on (ECS, cookies): RD=1, CD and DO as asked,
 * and AD=1, which asks for the AD bit without signatures (RFC 6840 5.7). The reply to the client drops AD if
 * the client asked for neither AD nor DO (5.8).
 *
 * @param padded pads an encrypted query (RFC 8467 4.1)
 * @param mixCase gives the name's letters a random case (draft-vixie-dnsext-dns0x20)
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
