import { Transport } from '../../metrics/index.ts';
import { Outbox } from '../stream/outbox.ts';
import { SocketChannel } from '../stream/socket-channel.ts';
import { type StreamListenerOptions, streamServerOptions } from '../stream/stream-listener.ts';
import { Admission, StreamServer } from '../stream/stream-server.ts';
import { StreamConnection } from './connection.ts';
import { TCP_TRAITS } from './traits.ts';

/**
 * Starts DNS over TCP on one or more addresses. Unregistered sources may connect within the strangers' pool: bootstrap
 * names are answered for everyone, their other queries get REFUSED.
 * @throws ListenError; nothing stays open then.
 */
export function startTcpListener(options: StreamListenerOptions): Promise<StreamServer> {
  const { answerer, now } = options;
  const outbox = options.outbox ?? new Outbox();
  return StreamServer.start({
    ...streamServerOptions(options),
    key: 'tcp',
    transport: Transport.TCP,
    admit: (source) => (answerer.admits(source) ? Admission.REGISTERED : Admission.STRANGER),
    open: (socket, source, maxQueries, onLimit) => {
      socket.setNoDelay(true);
      const connection = new StreamConnection((reader) => new SocketChannel(socket, reader), {
        answerer,
        source,
        traits: TCP_TRAITS,
        maxQueries,
        outbox,
        now,
        onLimit,
      });
      socket.resume();
      return connection;
    },
  });
}
