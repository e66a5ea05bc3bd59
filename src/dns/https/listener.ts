import { Transport } from '../../metrics/index.ts';
import type { TransportTraits } from '../answer/query-state.ts';
import { Outbox } from '../stream/outbox.ts';
import { openTlsChannel } from '../stream/tls-channel.ts';
import { type TlsListenerOptions, TlsServer } from '../stream/tls-server.ts';
import { Http1Connection } from './http1/connection.ts';
import { Http2Connection } from './http2/connection.ts';
import { HttpsSession } from './session.ts';
import { createThreadBuffers } from './thread-buffers.ts';

export const HTTPS_TRAITS: TransportTraits = {
  transport: Transport.HTTPS,
  spoofable: false,
  encrypted: true,
  maxReplyBytes: 65535,
};

export const GUEST_TRAITS: TransportTraits = { ...HTTPS_TRAITS, isGuest: true };

/**
 * Starts DNS over HTTPS. With private names unregistered sources may connect within the strangers' pool, and get 403 unless
 * the path has a live one.
 * @throws ListenError; nothing stays open then.
 */
export function startHttpsListener(options: TlsListenerOptions): Promise<TlsServer> {
  const { answerer, now, limits, privateNames = null } = options;
  const buffers = createThreadBuffers(options.outbox ?? new Outbox());
  return TlsServer.start(options, {
    key: 'https',
    transport: Transport.HTTPS,
    alpn: ['h2', 'http/1.1'],
    admitsStrangers: privateNames !== null,
    open: ({ source, maxQueries, onLimit, promote, secure }) => {
      const socket = secure();
      const session = new HttpsSession((reader) => openTlsChannel(socket, reader), {
        answerer,
        source,
        traits: HTTPS_TRAITS,
        guestTraits: GUEST_TRAITS,
        maxQueries,
        registeredQueries: limits.queriesPerConnection,
        privateNames,
        promote,
        buffers,
        now,
        onLimit,
      });
      socket.once('secure', () => beginHttp(session, socket.alpnProtocol === 'h2' ? 'h2' : 'http/1.1'));
      return session;
    },
  });
}

/** Starts the version of HTTP that ALPN chose. */
export function beginHttp(session: HttpsSession, version: 'http/1.1' | 'h2'): void {
  if (session.channel.isClosed) return;
  session.begin(version === 'h2' ? new Http2Connection(session) : new Http1Connection(session));
}
