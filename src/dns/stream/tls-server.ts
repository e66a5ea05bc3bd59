import { constants } from 'node:crypto';
import type { Socket } from 'node:net';
import { createSecureContext, type SecureContext, TLSSocket } from 'node:tls';
import type { Transport } from '../../metrics/index.ts';
import type { Source, TlsIdentity } from '../../net/index.ts';
import { type StreamListenerOptions, streamServerOptions } from './stream-listener.ts';
import { Admission, StreamServer, type StreamSession } from './stream-server.ts';

export interface TlsListenerOptions extends StreamListenerOptions {
  /** Null: connections are reset until there is one. */
  readonly identity: TlsIdentity | null;
}

/** The part of a TLS listener that depends on its protocol. */
interface TlsService {
  readonly key: 'tls' | 'https';
  readonly transport: Transport;
  readonly alpn: readonly string[];
  /** True if unregistered sources may connect, within the strangers' pool. */
  readonly admitsStrangers: boolean;
  /** Opens a session on a connection that may be rejected before its handshake begins. */
  open(connection: TlsConnection): StreamSession;
}

/** A connection whose handshake has not begun; see StreamServerOptions. */
export interface TlsConnection {
  readonly socket: Socket;
  readonly source: Source;
  readonly maxQueries: number;
  onLimit(): void;
  promote(): boolean;
  /** Begins the handshake. */
  secure(): TLSSocket;
}

/** The listeners of DNS over TLS or HTTPS. Without private names, unregistered sources are reset before the handshake. */
export class TlsServer {
  readonly server: StreamServer;
  private readonly context: { current: SecureContext | null };

  private constructor(server: StreamServer, context: { current: SecureContext | null }) {
    this.server = server;
    this.context = context;
  }

  /** @throws ListenError; nothing stays open then. */
  static async start(options: TlsListenerOptions, service: TlsService): Promise<TlsServer> {
    const context: { current: SecureContext | null } = {
      current: options.identity && createContext(options.identity),
    };
    const server = await StreamServer.start({
      ...streamServerOptions(options),
      key: service.key,
      transport: service.transport,
      admit: (source) => {
        if (context.current === null) return Admission.REJECTED;
        if (options.answerer.admits(source)) return Admission.REGISTERED;
        return service.admitsStrangers ? Admission.STRANGER : Admission.REJECTED;
      },
      open: (socket, source, maxQueries, onLimit, promote) => {
        const secure = (): TLSSocket => handshake(socket, context.current!, service.alpn);
        return service.open({ socket, source, maxQueries, onLimit, promote, secure });
      },
    });
    return new TlsServer(server, context);
  }

  /** Uses another certificate or other ticket keys for new connections. */
  useIdentity(identity: TlsIdentity): void {
    this.context.current = createContext(identity);
  }
}

function handshake(socket: Socket, secureContext: SecureContext, alpn: readonly string[]): TLSSocket {
  const secure = new TLSSocket(socket, { isServer: true, secureContext, ALPNProtocols: [...alpn] });
  secure.setNoDelay(true);
  // After the handshake Node only emits this event and leaves closing to tls.Server, which is not used here. The
  // alert has been sent: close at once (RFC 8446 6.2, RFC 5246 7.2.2).
  secure.on('_tlsError', () => secure.destroy());
  return secure;
}

/** Suites with forward secrecy and authenticated encryption (RFC 9325 4.2); HTTP/2 forbids others (RFC 9113 9.2.2). */
const CIPHERS = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':');

function createContext({ cert, key, ticketKeys }: TlsIdentity): SecureContext {
  return createSecureContext({
    cert,
    key,
    ticketKeys: Buffer.from(ticketKeys),
    sessionIdContext: 'mediastreamer-dns',
    minVersion: 'TLSv1.2',
    ciphers: CIPHERS,
    // Renegotiation costs a server more than a client, and HTTP/2 forbids it (RFC 9113 9.2.1).
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
  });
}
