import { Transport } from '../../metrics/index.ts';
import { Outbox } from '../stream/outbox.ts';
import { SocketChannel } from '../stream/socket-channel.ts';
import { type StreamListenerOptions, streamServerOptions } from '../stream/stream-listener.ts';
import { StreamServer } from '../stream/stream-server.ts';
import { StreamConnection } from './connection.ts';
import { TCP_TRAITS } from './traits.ts';

/**
 * Starts DNS over TCP on one or more addresses. Every source may connect: bootstrap names are answered for everyone, and
 * other queries of unregistered sources get REFUSED.
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
      socket.setNoDelay(true);
      const connection = new StreamConnection((reader) => new SocketChannel(socket, reader), {
        answerer,
        source,
        traits: TCP_TRAITS,
        maxQueries: limits.queriesPerConnection,
        outbox,
        now,
        onLimit,
      });
      socket.resume();
      return connection;
    },
  });
}
