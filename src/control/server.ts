import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, Server as NetServer } from 'node:net';
import type { Duplex } from 'node:stream';
import { contains, HttpLimits, ListenError, parseAddress } from '../net/index.ts';
import { buildApp } from './app.ts';
import type { App } from './context.ts';
import { ErrorLog } from './error-log.ts';
import { securityHeaders } from './headers.ts';
import { type ControlOptions, DEFAULT_CONNECTION_LIMITS, HTTP_OPTIONS } from './options.ts';
import { OwnHost, type OwnHostOptions } from './own-host.ts';
import { PROBLEM_TYPE, type ProblemCode, ProblemError } from './problem.ts';

const DEFAULT_GRACE_MS = 10_000;

export interface ListenAddress {
  /** A literal address. */
  host: string;
  /** 0: any free port. */
  port: number;
  /** An open socket of this address. */
  fd?: number;
}

/** The control API: one app behind any number of listeners. */
export class ControlServer {
  /** For `app.inject` in tests, and to add routes before `listen`. */
  readonly app: App;
  private readonly servers: Server[] = [];
  private readonly headers: Record<string, string>;
  private readonly errorLog: ErrorLog;
  private readonly limits: HttpLimits;
  private readonly publicUrl: string;
  private ownHost: OwnHost | null = null;
  private isRetired = false;
  private inFlight = 0;
  private onIdle: (() => void) | null = null;

  /** Use `createControl`. */
  constructor(app: App, options: ControlOptions) {
    this.app = app;
    this.publicUrl = options.publicUrl;
    this.headers = securityHeaders(options.publicUrl);
    this.errorLog = new ErrorLog(options.logger, options.now);
    const { trustedProxies, connections } = options;
    this.limits = new HttpLimits({
      ...DEFAULT_CONNECTION_LIMITS,
      ...connections,
      isProxy: (peer) => trustedProxies.some((prefix) => contains(prefix, peer)),
    });
  }

  /**
   * Opens a listener on each address.
   *
   * @returns the open addresses with port 0 resolved, in the given order
   * @throws ListenError if one fails; the others are closed again
   */
  async listen(addresses: readonly ListenAddress[]): Promise<ListenAddress[]> {
    const opened: ListenAddress[] = [];
    try {
      for (const address of addresses) {
        opened.push(await this.open(address));
      }
    } catch (error) {
      await Promise.all(this.servers.splice(0).map((server) => closed(server)));
      throw error;
    }
    return opened;
  }

  /** Serves connections that a relay of this process hands over, under the name of `publicUrl`. */
  openOwnHost(options: Pick<OwnHostOptions, 'serveDns' | 'challenge'>): OwnHost {
    const { publicUrl, limits } = this;
    const serve = (request: IncomingMessage, response: ServerResponse) => this.serve(request, response);
    this.ownHost = new OwnHost({ ...options, publicUrl, limits, serve });
    return this.ownHost;
  }

  /**
   * Stops accepting, for another process that accepts. Resolves when all connections have ended: each ends after its next
   * answer, or when it has been idle.
   */
  async retire(): Promise<void> {
    this.isRetired = true;
    // The HTTP server's own `close` would end idle connections, on which a call may be on its way.
    const ended = this.servers.map(
      (server) =>
        new Promise<void>((resolve) => void NetServer.prototype.close.call(server, () => resolve())),
    );
    await Promise.all(ended);
  }

  /** Stops accepting, waits up to `graceMs` for calls in flight, then closes all connections. */
  async close(graceMs = DEFAULT_GRACE_MS): Promise<void> {
    const servers = this.servers.splice(0);
    const all = Promise.all(servers.map((server) => closed(server)));
    await Promise.all([this.idle(graceMs), this.ownHost?.close(graceMs)]);
    for (const server of servers) server.closeAllConnections();
    await all;
    await this.app.close();
  }

  private open(address: ListenAddress): Promise<ListenAddress> {
    const server = createServer(HTTP_OPTIONS);
    // A client may shut its sending side down after a request; it still gets its answer.
    (server as Server & { httpAllowHalfOpen: boolean }).httpAllowHalfOpen = true;
    this.limits.attach(server, (request, response) => this.serve(request, response));
    server.on('clientError', (error, socket) => this.refuse(error, socket));
    return new Promise((resolve, reject) => {
      const onError = (error: NodeJS.ErrnoException) =>
        reject(
          new ListenError(
            'control.listen',
            { address: parseAddress(address.host)!, port: address.port },
            error.code ?? 'unknown',
          ),
        );
      server.once('error', onError);
      const { host, port, fd } = address;
      // As all listeners: [::] is IPv6 only.
      const ipv6Only = host.includes(':');
      server.listen(fd === undefined ? { host, port, ipv6Only } : { fd }, () => {
        server.off('error', onError);
        server.on('error', (error) => this.errorLog.note(error, 'none', 'accept'));
        this.servers.push(server);
        resolve({ host: address.host, port: (server.address() as AddressInfo).port });
      });
    });
  }

  private serve(request: IncomingMessage, response: ServerResponse): void {
    this.inFlight += 1;
    if (this.isRetired && request.httpVersionMajor === 1) response.setHeader('connection', 'close');
    response.once('close', () => {
      this.inFlight -= 1;
      if (this.inFlight === 0) this.onIdle?.();
    });
    this.app.routing(request, response);
  }

  private idle(graceMs: number): Promise<void> {
    if (this.inFlight === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, graceMs);
      this.onIdle = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Answers malformed and overdue requests with a problem, if the connection can still be written. */
  private refuse(error: NodeJS.ErrnoException, socket: Duplex): void {
    if (error.code === 'ECONNRESET' || !socket.writable) {
      socket.destroy();
      return;
    }
    const { status, body } = new ProblemError(CLIENT_ERRORS[error.code ?? ''] ?? 'bad_request');
    const text = JSON.stringify(body);
    const fields = {
      ...this.headers,
      'content-type': PROBLEM_TYPE,
      'content-length': Buffer.byteLength(text),
    };
    const head = Object.entries({ ...fields, connection: 'close' }).map(
      ([name, value]) => `${name}: ${value}\r\n`,
    );
    socket.end(`HTTP/1.1 ${status} -\r\n${head.join('')}\r\n${text}`, () => socket.destroy());
  }
}

const CLIENT_ERRORS: Readonly<Record<string, ProblemCode>> = {
  HPE_HEADER_OVERFLOW: 'headers_too_large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
};

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}

/** Builds the control API over a registry. Call `listen` to open it. */
export async function createControl(options: ControlOptions): Promise<ControlServer> {
  return new ControlServer(await buildApp(options), options);
}
