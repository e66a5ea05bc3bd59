import type { TLSSocket } from 'node:tls';
import { Transport } from '../../metrics/index.ts';
import type { TransportTraits } from '../answer/query-state.ts';
import { claimAddress } from '../private-names/admission.ts';
import { ClaimOutcome, tokenOfHost } from '../private-names/index.ts';
import { Outbox } from '../stream/outbox.ts';
import type { StreamSession } from '../stream/stream-server.ts';
import { openTlsChannel } from '../stream/tls-channel.ts';
import { type TlsConnection, type TlsListenerOptions, TlsServer } from '../stream/tls-server.ts';
import { StreamConnection } from '../tcp/connection.ts';
import { HelloSession } from './hello-session.ts';

const TLS_TRAITS: TransportTraits = {
  transport: Transport.TLS,
  spoofable: false,
  encrypted: true,
  maxReplyBytes: 65535,
};
const GUEST_TRAITS: TransportTraits = { ...TLS_TRAITS, isGuest: true };

/**
 * Starts DNS over TLS (RFC 7858) on one or more addresses. With private names an unregistered source's ClientHello is read
 * first, and the connection closed unless it names a live one.
 * @throws ListenError; nothing stays open then.
 */
export function startTlsListener(options: TlsListenerOptions): Promise<TlsServer> {
  const { answerer, now, limits, privateNames: names = null } = options;
  const outbox = options.outbox ?? new Outbox();

  function begin(connection: TlsConnection, traits: TransportTraits, maxQueries: number): StreamSession {
    const { source, onLimit } = connection;
    const socket = connection.secure();
    if (names !== null && traits === TLS_TRAITS) socket.once('secure', () => report(connection, socket));
    const common = { answerer, source, traits, maxQueries, outbox, now, onLimit };
    return new StreamConnection((reader) => openTlsChannel(socket, reader), common);
  }

  /** Reports a registered source's private name, so that its lease is renewed and its move does not begin elsewhere. */
  function report({ source }: TlsConnection, socket: TLSSocket): void {
    const { servername } = socket as TLSSocket & { servername?: string | false | null };
    const token = servername ? tokenOfHost(servername, names!.domain) : null;
    if (token !== null) void names!.claim({ token, source, isRegistered: true });
  }

  async function admit(connection: TlsConnection, serverName: string): Promise<StreamSession | null> {
    const { socket, source, promote, maxQueries } = connection;
    const token = tokenOfHost(serverName, names!.domain);
    if (token === null) return null;
    const outcome = await claimAddress(names!, answerer, { token, source });
    if (socket.destroyed || outcome === ClaimOutcome.DEAD || outcome === ClaimOutcome.BUSY) return null;
    if (outcome === ClaimOutcome.LIVE) return begin(connection, GUEST_TRAITS, maxQueries);
    return promote() ? begin(connection, TLS_TRAITS, limits.queriesPerConnection) : null;
  }

  return TlsServer.start(options, {
    key: 'tls',
    transport: Transport.TLS,
    alpn: ['dot'],
    admitsStrangers: names !== null,
    open: (connection) => {
      const { source, socket, maxQueries } = connection;
      if (names === null || answerer.admits(source)) return begin(connection, TLS_TRAITS, maxQueries);
      return new HelloSession(socket, { admit: (serverName) => admit(connection, serverName), now });
    },
  });
}
