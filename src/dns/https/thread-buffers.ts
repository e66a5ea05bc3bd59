import type { Outbox } from '../stream/outbox.ts';
import { SHORTEST_CODE_BITS } from './hpack/huffman.ts';
import { HttpDate } from './http-date.ts';
import { GetQuery } from './request.ts';
import { MAX_HEAD_BYTES, RequestHead } from './request-head.ts';

/** A name and a value, each as long as a whole block of the shortest Huffman codes. */
const DECODED_BYTES = Math.ceil((2 * MAX_HEAD_BYTES * 8) / SHORTEST_CODE_BITS);

/** Memory that all HTTP connections of a thread share. Its contents are valid within one call only. */
export interface ThreadBuffers {
  readonly outbox: Outbox;
  readonly head: RequestHead;
  readonly query: GetQuery;
  /** Huffman-decoded strings. */
  readonly decoded: Uint8Array;
  readonly date: HttpDate;
}

/** @param wallClock ms since 1970; the system's by default */
export function createThreadBuffers(outbox: Outbox, wallClock?: () => number): ThreadBuffers {
  return {
    outbox,
    head: new RequestHead(),
    query: new GetQuery(),
    decoded: new Uint8Array(DECODED_BYTES),
    date: new HttpDate(wallClock),
  };
}
