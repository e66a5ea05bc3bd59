import { TLSSocket } from 'node:tls';
import { Transport } from '../../metrics/index.ts';
import type { TlsIdentity } from '../../net/index.ts';
import type { TransportTraits } from '../answer/query-state.ts';
import { Outbox } from '../stream/outbox.ts';
import { StreamServer } from '../stream/stream-server.ts';
import { openTlsChannel } from '../stream/tls-channel.ts';
import { streamServerOptions } from '../tcp/listener.ts';
import { CurrentContext, type TlsListenerOptions } from '../tls/listener.ts';
import { createHttpThread } from './http-thread.ts';
import { HttpsSession } from './session.ts';

export const HTTPS_TRAITS: TransportTraits = {
  transport: Transport.HTTPS,
  spoofable: false,
  encrypted: true,
  maxReplyBytes: 65535,
};

const ALPN = ['h2', 'http/1.1'];

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
    const thread = createHttpThread(options.outbox ?? new Outbox());
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
        const settings = { answerer, source, traits, maxQueries, thread, now, onLimit };
        const session = new HttpsSession((reader) => openTlsChannel(secure, reader), settings);
        secure.once('secure', () => session.begin(secure.alpnProtocol === 'h2' ? 'h2' : 'http/1.1'));
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
