import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createHttp2, type Http2Server, type ServerHttp2Session } from 'node:http2';
import type { Socket } from 'node:net';
import { createSecureContext, type SecureContext, TLSSocket } from 'node:tls';
import { type HttpLimits, TICKET_KEYS_BYTES, type TlsCertificate } from '../net/index.ts';
import { HTTP_OPTIONS } from './options.ts';

export interface OwnHostOptions {
  /** URL of the page and the API; its port is where plain HTTP is redirected to. */
  readonly publicUrl: string;
  /** Serves a request of the page or the API. */
  serve(request: IncomingMessage, response: ServerResponse): void;
  /** Serves a request below /dns-query; null: this process has no edge. */
  readonly serveDns: ((request: IncomingMessage, response: ServerResponse) => void) | null;
  /** Returns the answer to an HTTP-01 challenge of ACME (RFC 8555, section 8.3); null: unknown. */
  challenge(token: string): string | null;
  readonly limits: HttpLimits;
}

const DNS_PATH = '/dns-query';
const CHALLENGE_PATH = '/.well-known/acme-challenge/';
const HANDSHAKE_MS = 10_000;
/** Idle time of an HTTP/2 connection: browsers come back to the page's connection within seconds. */
const HTTP2_IDLE_MS = 30_000;
/** A stolen session ticket key decrypts at most this much recorded traffic. */
const TICKET_KEYS_MS = 6 * 3_600_000;
const HOST = /^([a-z0-9_-]+(?:\.[a-z0-9_-]+)*)\.?(?::\d{1,5})?$/i;

/** Options of HTTP/2: what a page and a resolver's client need, and no more. */
const HTTP2_OPTIONS = {
  maxSessionMemory: 2,
  settings: { maxConcurrentStreams: 64, maxHeaderListSize: 16_384, enablePush: false },
} as const;

/**
 * Serves connections that a relay of this process hands over because they name this host: page, API and DNS over HTTPS on
 * port 443, redirects and ACME challenges on port 80. ALPN chooses HTTP/2 or HTTP/1.1.
 */
export class OwnHost {
  private readonly options: OwnHostOptions;
  private readonly http1: Server;
  private readonly http2: Http2Server;
  private readonly plain: Server;
  private readonly sockets = new Set<Socket>();
  private readonly sessions = new Set<ServerHttp2Session>();
  private readonly ticketTimer: NodeJS.Timeout;
  private certificate: TlsCertificate | null = null;
  private context: SecureContext | null = null;

  constructor(options: OwnHostOptions) {
    this.options = options;
    const { limits } = options;
    this.http1 = createServer(HTTP_OPTIONS);
    limits.attach(this.http1, (request, response) => this.route(request, response));
    this.plain = createServer(HTTP_OPTIONS);
    limits.attach(this.plain, (request, response) => this.servePlain(request, response));
    this.http2 = createHttp2(HTTP2_OPTIONS, (request, response) => {
      limits.noteActivity(request.stream.session?.socket as Socket);
      // Node's compatibility layer reads as HTTP/1.1, but for the host.
      request.headers.host ??= request.authority;
      this.route(request as unknown as IncomingMessage, response as unknown as ServerResponse);
    });
    this.http2.on('session', (session) => {
      this.sessions.add(session);
      session.setTimeout(HTTP2_IDLE_MS, () => session.close());
      session.on('close', () => this.sessions.delete(session));
    });
    for (const server of [this.http1, this.plain])
      server.on('clientError', (_error, socket) => socket.destroy());
    // Without a listener of its own, a server watches slow and idle connections from this event on.
    for (const server of [this.http1, this.plain]) server.emit('listening');
    this.http2.on('sessionError', () => {});
    this.ticketTimer = setInterval(() => this.useCertificate(this.certificate), TICKET_KEYS_MS).unref();
  }

  /** Uses a certificate for connections from now on. Null: connections for port 443 are closed. */
  useCertificate(certificate: TlsCertificate | null): void {
    this.certificate = certificate;
    this.context =
      certificate &&
      createSecureContext({
        cert: certificate.cert,
        key: certificate.key,
        minVersion: 'TLSv1.2',
        ticketKeys: randomBytes(TICKET_KEYS_BYTES),
        sessionIdContext: 'mediastreamer-host',
      });
  }

  /** Takes a connection of which nothing has been read. */
  take(protocol: 'tls' | 'http', socket: Socket): void {
    socket.on('error', () => socket.destroy());
    if (protocol === 'tls') this.secure(socket);
    else if (this.track(socket)) {
      this.plain.emit('connection', socket);
      // Bytes that were given back wait in the socket.
      socket.resume();
    }
  }

  /** Tells clients to go, then closes all connections. */
  async close(graceMs: number): Promise<void> {
    clearInterval(this.ticketTimer);
    for (const session of this.sessions) session.close();
    // Closes idle connections and stops the watch; the callback takes the error that nothing listened.
    for (const server of [this.http1, this.plain]) server.close(() => {});
    const timer = setTimeout(() => this.closeAll(), graceMs);
    await new Promise<void>((resolve) => {
      this.onEmpty = resolve;
      if (this.sockets.size === 0) resolve();
    });
    clearTimeout(timer);
  }

  private onEmpty: () => void = () => {};

  private closeAll(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  private track(socket: Socket): boolean {
    if (!this.options.limits.admit(socket)) return false;
    this.sockets.add(socket);
    socket.once('close', () => {
      this.sockets.delete(socket);
      if (this.sockets.size === 0) this.onEmpty();
    });
    return true;
  }

  private secure(socket: Socket): void {
    const { context } = this;
    if (context === null) {
      socket.destroy();
      return;
    }
    const { remoteAddress, remotePort } = socket;
    const secure = new TLSSocket(socket, {
      isServer: true,
      secureContext: context,
      ALPNProtocols: ['h2', 'http/1.1'],
    });
    // The client's, where a balancer is the peer.
    Object.defineProperty(secure, 'remoteAddress', { value: remoteAddress });
    Object.defineProperty(secure, 'remotePort', { value: remotePort });
    secure.on('error', () => secure.destroy());
    secure.on('_tlsError', () => secure.destroy());
    if (!this.track(secure)) return;
    const timer = setTimeout(() => secure.destroy(), HANDSHAKE_MS);
    secure.once('close', () => clearTimeout(timer));
    secure.once('secure', () => {
      clearTimeout(timer);
      // As tls.Server does: HTTP/2 would otherwise wait for a client's event.
      (secure as TLSSocket & { secureConnecting: boolean }).secureConnecting = false;
      (secure.alpnProtocol === 'h2' ? this.http2 : this.http1).emit('connection', secure);
    });
  }

  private route(request: IncomingMessage, response: ServerResponse): void {
    const { serve, serveDns } = this.options;
    const path = (request.url ?? '').split('?', 1)[0]!;
    const isDns = path === DNS_PATH || path.startsWith(`${DNS_PATH}/`);
    if (isDns && serveDns !== null) serveDns(request, response);
    else serve(request, response);
  }

  /** Answers ACME challenges, and sends everyone else to https. */
  private servePlain(request: IncomingMessage, response: ServerResponse): void {
    const url = request.url ?? '';
    response.setHeader('cache-control', 'no-store');
    if (url.startsWith(CHALLENGE_PATH)) {
      const answer = this.options.challenge(url.slice(CHALLENGE_PATH.length));
      response.writeHead(answer === null ? 404 : 200, { 'content-type': 'application/octet-stream' });
      response.end(answer ?? '');
      return;
    }
    const host = HOST.exec(request.headers.host ?? '')?.[1];
    if (host === undefined || !url.startsWith('/')) {
      response.writeHead(400).end();
      return;
    }
    const { port } = new URL(this.options.publicUrl);
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    const location = `https://${host.toLowerCase()}${port === '' ? '' : `:${port}`}${url}`;
    response.writeHead(isRead ? 301 : 308, { location, 'content-length': 0 }).end();
  }
}
