import type { MessagePort } from 'node:worker_threads';
import type { AllowlistHandle } from '../../allowlist/index.ts';
import type { CatalogHandle } from '../../catalog/lookup/index.ts';
import type { BlockHandle } from '../../metrics/index.ts';
import type { CacheHandle } from '../../resolver/cache/index.ts';
import type { ForwardHandle } from '../../resolver/forward/index.ts';
import type { XdpSocketHandle, XdpTarget } from '../../sys/xdp/index.ts';
import type { QueryPolicy } from '../answer/query-state.ts';
import type { RateLimitOptions } from '../rate-limit.ts';

/** Most packets in one system call. */
export const BATCH_SLOTS = 64;
/** Longest wait for a packet, after which a thread checks if it should stop. */
export const WAIT_MS = 100;
/** Words of the control memory. */
export const STOP_WORD = 0;
export const UPDATE_WORD = 1;

export interface UdpSocketHandle {
  fd: number;
  /** True if bound to all addresses, so that it must report the one that was asked. */
  packetInfo: boolean;
}

/** Tables and policy of all UDP threads. */
export interface UdpTables {
  allowlist: AllowlistHandle;
  catalog: CatalogHandle;
  cache: CacheHandle;
  rateLimit: SharedArrayBuffer;
  rateLimitOptions: RateLimitOptions;
  policy: QueryPolicy;
  /** Lets threads ask upstreams for plain misses; null: the resolver is asked for all. */
  forward: ForwardHandle | null;
}

/** Data that every UDP thread starts with. */
export interface UdpThreadData extends UdpTables {
  control: SharedArrayBuffer;
  updatePort: MessagePort;
  counters: BlockHandle;
  ring: SharedArrayBuffer;
  /** This thread's number, from 0. */
  index: number;
}

export interface UdpWorkerData extends UdpThreadData {
  /** One socket per listener, in the order of the listeners. */
  sockets: UdpSocketHandle[];
}

/** Additional data of an AF_XDP thread. */
export interface XdpThreadData {
  sockets: readonly XdpSocketHandle[];
  targets: readonly XdpTarget[];
}
