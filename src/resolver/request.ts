import { copyBytes } from '../wire/index.ts';
import { Tried } from './forward/tried.ts';
import type { Waiter } from './pending.ts';

/** A question to resolve, as listeners pass it. */
export interface ResolveRequest {
  /** Lower-cased wire form in [0, nameLength), including the root's byte. Copied if it is kept. */
  readonly name: Uint8Array;
  readonly nameLength: number;
  readonly type: number;
  readonly qclass: number;
  /** DO (RFC 3225) and CD (RFC 4035 3.2.2) as asked; each combination has answers of its own. */
  readonly dnssecOk: boolean;
  readonly checkingDisabled: boolean;
  /** Work that a UDP thread has already done on the question. Default: none. */
  readonly tried?: Tried;
}

/** An answer in the cache's entry format. */
export interface ResolvedEntry {
  readonly entry: Uint8Array;
  /** False if an upstream was asked for it. */
  readonly cached: boolean;
}

/** No answer. */
export interface ResolveFailure {
  readonly entry: null;
  /** SERVFAIL if no upstream replied or all refused, else the last upstream's rcode. */
  readonly rcode: number;
  /** RFC 8914: 22 if no upstream answered or all refused, 23 for a network error, else ExtendedError.NONE. */
  readonly extendedError: number;
}

export type Resolved = ResolvedEntry | ResolveFailure;

/** Waits for the result of a question. */
export interface ResolveWaiter extends Waiter<Resolved> {
  /** Hash of the home that asks, by which shares are counted; undefined: this process asks for itself. */
  readonly source?: number;
}

/** Copies a request, so that the caller may reuse its buffer. */
export function keepRequest(request: ResolveRequest): ResolveRequest {
  return {
    name: copyBytes(request.name, 0, request.nameLength),
    nameLength: request.nameLength,
    type: request.type,
    qclass: request.qclass,
    dnssecOk: request.dnssecOk,
    checkingDisabled: request.checkingDisabled,
    tried: request.tried ?? Tried.NOTHING,
  };
}

/** Key of a question with its flags. */
export function requestKey(request: ResolveRequest): string {
  const { name, nameLength } = request;
  const text = Buffer.from(name.buffer, name.byteOffset, nameLength).toString('latin1');
  const flags = (request.dnssecOk ? 1 : 0) | (request.checkingDisabled ? 2 : 0);
  return text + String.fromCharCode(request.type, request.qclass, flags);
}
