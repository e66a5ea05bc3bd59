import type { Outbox } from '../stream/outbox.ts';
import { SHORTEST_CODE_BITS } from './hpack/huffman.ts';
import { HttpDate } from './http-date.ts';
import { GetQuery } from './request.ts';
import { MAX_HEAD_BYTES, RequestHead } from './request-head.ts';

/** A name and a value, each of them at most a whole block in the shortest codes. */
const SCRATCH_BYTES = Math.ceil((2 * MAX_HEAD_BYTES * 8) / SHORTEST_CODE_BITS);

/** What all connections of one thread share: each is used within one call. */
export interface HttpThread {
  readonly outbox: Outbox;
  readonly head: RequestHead;
  readonly query: GetQuery;
  /** Where compressed strings are decoded. */
  readonly scratch: Uint8Array;
  readonly date: HttpDate;
}

/** @param wallClock ms since 1970; the system's by default */
export function createHttpThread(outbox: Outbox, wallClock?: () => number): HttpThread {
  return {
    outbox,
    head: new RequestHead(),
    query: new GetQuery(),
    scratch: new Uint8Array(SCRATCH_BYTES),
    date: new HttpDate(wallClock),
  };
}
