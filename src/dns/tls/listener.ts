import { Transport } from '../../metrics/index.ts';
import type { TransportTraits } from '../answer/query-state.ts';
import { Outbox } from '../stream/outbox.ts';
import { openTlsChannel } from '../stream/tls-channel.ts';
import { type TlsListenerOptions, TlsServer } from '../stream/tls-server.ts';
import { StreamConnection } from '../tcp/connection.ts';

const TLS_TRAITS: TransportTraits = {
  transport: Transport.TLS,
  spoofable: false,
  encrypted: true,
  maxReplyBytes: 65535,
};

/** Starts DNS over TLS (RFC 7858) on one or more addresses. @throws ListenError; nothing stays open then. */
export function startTlsListener(options: TlsListenerOptions): Promise<TlsServer> {
  const { answerer, now } = options;
  const outbox = options.outbox ?? new Outbox();
  return TlsServer.start(options, {
    key: 'tls',
    transport: Transport.TLS,
    alpn: ['dot'],
    open: (socket, source, maxQueries, onLimit) =>
      new StreamConnection((reader) => openTlsChannel(socket, reader), {
        answerer,
        source,
        traits: TLS_TRAITS,
        maxQueries,
        outbox,
        now,
        onLimit,
      }),
  });
}
