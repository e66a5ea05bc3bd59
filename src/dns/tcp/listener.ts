import { Transport } from '../../metrics/index.ts';
import type { Prefix, SocketAddress } from '../../net/index.ts';
import type { Answerer } from '../answerer.ts';
import { ConnectionBudget, type StreamLimits } from '../stream/connection-budget.ts';
import { Outbox } from '../stream/outbox.ts';
import { SocketChannel } from '../stream/socket-channel.ts';
import { StreamServer } from '../stream/stream-server.ts';
import { StreamConnection } from './connection.ts';
import { TCP_TRAITS } from './traits.ts';

/** What listeners over streams have in common. */
export interface StreamListenerOptions {
  readonly addresses: readonly SocketAddress[];
  readonly answerer: Answerer;
  readonly limits: StreamLimits;
  /** Shared by the threads that listen on the same addresses; by default its own. */
  readonly budget?: ConnectionBudget;
  /** The thread's; by default its own. */
  readonly outbox?: Outbox;
  readonly proxies?: readonly Prefix[];
  readonly reusePort?: boolean;
  /** The monotonic clock, in ms. */
  now(): number;
}

/**
 * Starts DNS over TCP on one or more addresses. Whoever connects is heard: bootstrap names are answered for everyone, and
 * a refusal is told.
 * @throws ListenError; nothing stays open then.
 */
export function startTcpListener(options: StreamListenerOptions): Promise<StreamServer> {
  const { answerer, limits, now } = options;
  const outbox = options.outbox ?? new Outbox();
  return StreamServer.start({
    ...streamServerOptions(options),
    key: 'tcp',
    transport: Transport.TCP,
    admits: () => true,
    open: (socket, source, onLimit) => {
      const maxQueries = limits.queriesPerConnection;
      const traits = TCP_TRAITS;
      const options = { answerer, source, traits, maxQueries, outbox, now, onLimit };
      socket.setNoDelay(true);
      const connection = new StreamConnection((reader) => new SocketChannel(socket, reader), options);
      socket.resume();
      return connection;
    },
  });
}

/** The part of a server's options that is the same for all transports. */
export function streamServerOptions(options: StreamListenerOptions) {
  const { addresses, answerer, limits, budget, proxies = [], reusePort = false, now } = options;
  return {
    addresses,
    limits,
    budget: budget ?? new ConnectionBudget(ConnectionBudget.allocate(), limits, 0),
    counters: answerer.counters,
    proxies,
    reusePort,
    now,
  };
}
