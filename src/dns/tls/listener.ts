import { constants } from 'node:crypto';
import { createSecureContext, type SecureContext, TLSSocket } from 'node:tls';
import { Transport } from '../../metrics/index.ts';
import type { TlsIdentity } from '../../net/index.ts';
import type { TransportTraits } from '../answer/query-state.ts';
import { Outbox } from '../stream/outbox.ts';
import { StreamServer, type StreamSession } from '../stream/stream-server.ts';
import { openTlsChannel } from '../stream/tls-channel.ts';
import { StreamConnection } from '../tcp/connection.ts';
import { type StreamListenerOptions, streamServerOptions } from '../tcp/listener.ts';

export const TLS_TRAITS: TransportTraits = {
  transport: Transport.TLS,
  spoofable: false,
  encrypted: true,
  maxReplyBytes: 65535,
};

const ALPN = ['dot'];

export interface TlsListenerOptions extends StreamListenerOptions {
  readonly identity: TlsIdentity;
}

/** DNS over TLS (RFC 7858) on one or more addresses. */
export class TlsListener {
  readonly server: StreamServer;
  private readonly context: CurrentContext;

  private constructor(server: StreamServer, context: CurrentContext) {
    this.server = server;
    this.context = context;
  }

  /** @throws ListenError; nothing stays open then. */
  static async start(options: TlsListenerOptions): Promise<TlsListener> {
    const { answerer, limits, now } = options;
    const context = new CurrentContext(options.identity);
    const outbox = options.outbox ?? new Outbox();
    const server = await StreamServer.start({
      ...streamServerOptions(options),
      key: 'tls',
      transport: Transport.TLS,
      admits: (source) => answerer.admits(source),
      open: (socket, source, onLimit): StreamSession => {
        const secure = new TLSSocket(socket, {
          isServer: true,
          secureContext: context.current,
          ALPNProtocols: ALPN,
        });
        secure.setNoDelay(true);
        const maxQueries = limits.queriesPerConnection;
        const traits = TLS_TRAITS;
        const settings = { answerer, source, traits, maxQueries, outbox, now, onLimit };
        return new StreamConnection((reader) => openTlsChannel(secure, reader), settings);
      },
    });
    return new TlsListener(server, context);
  }

  /** Turns to another certificate or other ticket keys: for connections from now on. */
  useIdentity(identity: TlsIdentity): void {
    this.context.use(identity);
  }
}

/** What new connections are accepted with. */
export class CurrentContext {
  current: SecureContext;

  constructor(identity: TlsIdentity) {
    this.current = contextOf(identity);
  }

  use(identity: TlsIdentity): void {
    this.current = contextOf(identity);
  }
}

/** Suites with forward secrecy and authenticated encryption (RFC 9325 4.2); HTTP/2 forbids others (RFC 9113 9.2.2). */
const CIPHERS = [
  ...['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256'],
  ...['ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDHE-RSA-AES128-GCM-SHA256'],
  ...['ECDHE-ECDSA-AES256-GCM-SHA384', 'ECDHE-RSA-AES256-GCM-SHA384'],
  ...['ECDHE-ECDSA-CHACHA20-POLY1305', 'ECDHE-RSA-CHACHA20-POLY1305'],
].join(':');

function contextOf({ cert, key, ticketKeys }: TlsIdentity): SecureContext {
  return createSecureContext({
    cert,
    key,
    ticketKeys: Buffer.from(ticketKeys),
    sessionIdContext: 'mediastreamer-dns',
    minVersion: 'TLSv1.2',
    ciphers: CIPHERS,
    // It costs a server more than a client, and HTTP/2 forbids it (RFC 9113 9.2.1).
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
  });
}
