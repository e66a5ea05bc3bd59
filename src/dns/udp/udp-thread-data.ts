import type { MessagePort } from 'node:worker_threads';
import type { AllowlistHandle } from '../../allowlist/index.ts';
import type { CatalogHandle } from '../../catalog/lookup/index.ts';
import type { BlockHandle } from '../../metrics/index.ts';
import type { CacheHandle } from '../../resolver/cache/index.ts';
import type { ForwardHandle } from '../../resolver/forward/index.ts';
import type { XdpSocketHandle, XdpTarget } from '../../sys/xdp/index.ts';
import type { QueryPolicy } from '../answer/query-state.ts';
import type { RateLimitOptions } from '../rate-limit.ts';

/** Packets that one system call carries at the most. */
export const BATCH_SLOTS = 64;
/** How long a thread waits for a packet before it looks whether it should stop. */
export const WAIT_MS = 100;
/** Words of the control memory. */
export const STOP_WORD = 0;
export const UPDATE_WORD = 1;

export interface UdpSocketHandle {
  fd: number;
  /** Bound to every address of its family, so that it must tell which one was asked. */
  packetInfo: boolean;
}

/** What all UDP threads decide by. */
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

/** What a UDP thread starts with, wherever its packets come from. */
export interface UdpThreadData extends UdpTables {
  control: SharedArrayBuffer;
  updatePort: MessagePort;
  counters: BlockHandle;
  ring: SharedArrayBuffer;
  /** This thread's number, from 0. */
  index: number;
}

export interface UdpWorkerData extends UdpThreadData {
  /** One socket a listener, in the order of the listeners. */
  sockets: UdpSocketHandle[];
}

/** What a thread of queues reads besides. */
export interface XdpThreadData {
  sockets: readonly XdpSocketHandle[];
  targets: readonly XdpTarget[];
}
