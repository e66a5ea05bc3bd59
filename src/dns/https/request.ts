import { HEADER_BYTES, isResponse } from '../../wire/index.ts';
import { DOH_PATH } from './path.ts';

export const DNS_MESSAGE = 'application/dns-message';
/** Longer than any query has a use for. */
export const MAX_QUERY_BYTES = 4096;
const MAX_ENCODED_BYTES = Math.ceil((MAX_QUERY_BYTES * 4) / 3);

/** The status that a request is turned away with. */
export type Refusal = 400 | 404 | 405 | 413 | 414 | 415;

/** What a request asks: a message that is there already, that one is to be read from its body, or nothing that is served. */
export type DohRequest =
  | { readonly kind: 'message'; readonly message: Uint8Array }
  | { readonly kind: 'body' }
  | { readonly kind: 'refused'; readonly status: Refusal };

const BODY: DohRequest = { kind: 'body' };
const refused = (status: Refusal): DohRequest => ({ kind: 'refused', status });

/**
 * Reads the head of a request (RFC 8484 4.1). What is too long is refused before any of it is decoded or read.
 * @param target path and query as they stand in the request
 */
export function readDohRequest(
  method: string | undefined,
  target: string | undefined,
  contentType: string | undefined,
  contentLength: string | undefined,
): DohRequest {
  if (target === undefined) return refused(400);
  const mark = target.indexOf('?');
  const path = mark < 0 ? target : target.slice(0, mark);
  if (path !== DOH_PATH) return refused(404);
  if (method === 'POST') {
    if (contentType === undefined || !isDnsMessage(contentType)) return refused(415);
    return Number(contentLength ?? 0) > MAX_QUERY_BYTES ? refused(413) : BODY;
  }
  if (method !== 'GET') return refused(405);
  return mark < 0 ? refused(400) : readParameter(target.slice(mark + 1));
}

function isDnsMessage(contentType: string): boolean {
  if (contentType === DNS_MESSAGE) return true;
  return contentType.split(';', 1)[0].trim().toLowerCase() === DNS_MESSAGE;
}

/** The `dns` parameter: base64url without padding (RFC 8484 6). */
function readParameter(query: string): DohRequest {
  let encoded: string | null = null;
  for (let from = 0; from <= query.length; ) {
    const next = query.indexOf('&', from);
    const end = next < 0 ? query.length : next;
    if (query.startsWith('dns=', from)) {
      if (encoded !== null) return refused(400);
      if (end - from - 4 > MAX_ENCODED_BYTES) return refused(414);
      encoded = query.slice(from + 4, end);
    }
    from = end + 1;
  }
  if (encoded === null || encoded.length % 4 === 1 || !/^[\w-]+$/.test(encoded)) return refused(400);
  const message = Buffer.from(encoded, 'base64url');
  return isQuery(message) ? { kind: 'message', message } : refused(400);
}

/** Whether the octets are a query that would be heard over other transports. */
export function isQuery(message: Uint8Array): boolean {
  return message.length >= HEADER_BYTES && !isResponse(message);
}
