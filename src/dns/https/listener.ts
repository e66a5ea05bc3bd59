import { createServer, type Server } from 'node:http';
import { performServerHandshake, type SecureServerOptions } from 'node:http2';
import { TLSSocket } from 'node:tls';
import { Transport } from '../../metrics/index.ts';
import type { TlsIdentity } from '../../net/index.ts';
import type { TransportTraits } from '../query-state.ts';
import { StreamServer } from '../stream/stream-server.ts';
import { streamServerOptions } from '../tcp/listener.ts';
import { CurrentContext, type TlsListenerOptions } from '../tls/listener.ts';
import { HttpsSession } from './session.ts';

export const HTTPS_TRAITS: TransportTraits = {
  transport: Transport.HTTPS,
  spoofable: false,
  encrypted: true,
  maxReplyBytes: 65535,
};

const ALPN = ['h2', 'http/1.1'];
/** Octets of a request's head: a path with the longest query, and what clients send along. */
const MAX_HEAD_BYTES = 16 * 1024;
const MAX_HEADERS = 64;
const HEAD_TIMEOUT_MS = 5000;

/** What a client may make a connection of HTTP/2 cost; past it the session ends with GOAWAY. */
const HTTP2_OPTIONS: SecureServerOptions = {
  settings: {
    maxConcurrentStreams: 100,
    initialWindowSize: 16 * 1024,
    maxHeaderListSize: MAX_HEAD_BYTES,
    headerTableSize: 4096,
    enablePush: false,
  },
  maxHeaderListPairs: MAX_HEADERS,
  maxSessionMemory: 1,
  maxSessionInvalidFrames: 10,
  maxSessionRejectedStreams: 50,
  maxOutstandingPings: 4,
  maxSettings: 32,
};

/** DNS over HTTPS (RFC 8484) on one or more addresses. */
export class HttpsListener {
  readonly server: StreamServer;
  private readonly context: CurrentContext;

  private constructor(server: StreamServer, context: CurrentContext) {
    this.server = server;
    this.context = context;
  }

  /** @throws ListenError; nothing stays open then. */
  static async start(options: TlsListenerOptions): Promise<HttpsListener> {
    const { answerer, limits, now } = options;
    const context = new CurrentContext(options.identity);
    const sessions = new WeakMap<object, HttpsSession>();
    const http1 = createHttp1(sessions);
    const server = await StreamServer.start({
      ...streamServerOptions(options),
      key: 'https',
      transport: Transport.HTTPS,
      admits: (source) => answerer.admits(source),
      open: (socket, source, onLimit) => {
        const secure = new TLSSocket(socket, {
          isServer: true,
          secureContext: context.current,
          ALPNProtocols: ALPN,
        });
        secure.setNoDelay(true);
        const maxQueries = limits.queriesPerConnection;
        const traits = HTTPS_TRAITS;
        const session = new HttpsSession(secure, { answerer, source, traits, maxQueries, now, onLimit });
        sessions.set(secure, session);
        secure.once('secure', () => {
          if (secure.alpnProtocol !== 'h2') {
            http1.emit('connection', secure);
            return;
          }
          // Without a tls.Server nobody else says that the handshake is over, and http2 waits for it.
          Object.assign(secure, { secureConnecting: false });
          session.useHttp2(performServerHandshake(secure, HTTP2_OPTIONS));
        });
        return session;
      },
    });
    return new HttpsListener(server, context);
  }

  /** Turns to another certificate or other ticket keys: for connections from now on. */
  useIdentity(identity: TlsIdentity): void {
    this.context.use(identity);
  }
}

/** HTTP/1.1 over connections that are given to it. */
function createHttp1(sessions: WeakMap<object, HttpsSession>): Server {
  const server = createServer(
    { maxHeaderSize: MAX_HEAD_BYTES, headersTimeout: HEAD_TIMEOUT_MS, requestTimeout: HEAD_TIMEOUT_MS },
    (request, response) => sessions.get(request.socket)?.takeRequest(request, response),
  );
  server.maxHeadersCount = MAX_HEADERS;
  // Connections that idle are closed by StreamServer.
  server.keepAliveTimeout = 0;
  server.on('clientError', (_, socket) => socket.destroy());
  server.on('checkContinue', (request, response) => {
    sessions.get(request.socket)?.takeRequest(request, response);
  });
  return server;
}
