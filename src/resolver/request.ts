import { copyBytes } from '../wire/index.ts';
import { Tried } from './forward/tried.ts';
import type { Waiter } from './pending.ts';

/** A question to resolve, as the listeners hand it over. */
export interface ResolveRequest {
  /** Lower-cased wire form in [0, nameLength), the root's byte included. Copied when it is kept. */
  readonly name: Uint8Array;
  readonly nameLength: number;
  readonly type: number;
  readonly qclass: number;
  /** DO (RFC 3225) and CD (RFC 4035 3.2.2) as asked: answers to them are not the same. */
  readonly dnssecOk: boolean;
  readonly checkingDisabled: boolean;
  /** What a UDP thread has already done about the question. Default: nothing. */
  readonly tried?: Tried;
}

/** An answer, as bytes of the cache's entry format. */
export interface ResolvedEntry {
  readonly entry: Uint8Array;
  /** Whether it was known already; else an upstream was asked for it. */
  readonly cached: boolean;
}

/** No answer. */
export interface ResolveFailure {
  readonly entry: null;
  /** SERVFAIL where nothing was heard, or nothing but refusals; else what the last upstream said. */
  readonly rcode: number;
  /** RFC 8914: 22 where no upstream answered or all refused, 23 where the network refused; ExtendedError.NONE else. */
  readonly extendedError: number;
}

export type Resolved = ResolvedEntry | ResolveFailure;

/** Waits for the result of a question. */
export interface ResolveWaiter extends Waiter<Resolved> {
  /** Hash of the home that asks, by which shares are counted; undefined: this process asks for itself. */
  readonly source?: number;
}

/** A request that stays as it is when the caller's buffer is used again. */
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

/** The same string for the same question and flags, another for any other. */
export function requestKey(request: ResolveRequest): string {
  const { name, nameLength } = request;
  const text = Buffer.from(name.buffer, name.byteOffset, nameLength).toString('latin1');
  const flags = (request.dnssecOk ? 1 : 0) | (request.checkingDisabled ? 2 : 0);
  return text + String.fromCharCode(request.type, request.qclass, flags);
}
