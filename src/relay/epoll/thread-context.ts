import type { Address } from '../../net/index.ts';
import type { TcpTransfer } from '../../sys/index.ts';
import type { Dialer } from '../egress/proxy-pool.ts';
import type { OwnConnection } from '../own-connection.ts';
import type { RelayContext } from '../relay-context.ts';
import type { Connected } from './epoll-connect.ts';
import type { OpenTunnels } from './open-tunnels.ts';
import type { Pipes } from './pipes.ts';
import type { Preludes } from './preludes.ts';
import type { Reactor } from './reactor.ts';
import type { Slabs } from './slabs.ts';

/** A thread's state that its tunnels use. */
export interface ThreadContext {
  readonly relay: RelayContext;
  readonly reactor: Reactor;
  readonly transfer: TcpTransfer;
  readonly slabs: Slabs;
  readonly pipes: Pipes;
  readonly preludes: Preludes;
  readonly tunnels: OpenTunnels;
  /** Connects through proxies. */
  readonly dialer: Dialer<Connected>;
  /** Asks the main thread's resolver. @returns a function that cancels the request */
  resolve(name: Uint8Array, done: (addresses: readonly Address[] | null) => void): () => void;
  /** Passes a connection for a name of our own to the main thread, with its descriptor. */
  handOver(connection: OwnConnection): void;
}
