import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/**
 * A condition for sending this process work. `state` is a fixed word; `detail` holds further facts without
 * anything of a client.
 */
export interface ReadinessCheck {
  readonly name: string;
  readonly check: () => {
    ready: boolean;
    state: string;
    detail?: Readonly<Record<string, string | number | null>>;
  };
}

export interface ListenAddress {
  readonly address: string;
  readonly port: number;
  /** An open socket of this address. */
  readonly fd?: number;
}

export interface MetricsServerOptions {
  readonly listen: readonly ListenAddress[];
  readonly exposition: { readonly contentType: string; text(): Promise<string> };
  readonly checks: readonly ReadinessCheck[];
  /** Shares the connections among clients. */
  readonly limits: {
    attach(server: Server, serve: (request: IncomingMessage, response: ServerResponse) => void): void;
  };
}

/** The metrics listener could not be opened. */
export class MetricsListenError extends Error {
  readonly code = 'listen_failed';

  constructor({ address, port }: ListenAddress, cause: NodeJS.ErrnoException) {
    const reason = cause.code === 'EADDRINUSE' ? 'it is in use by another process (EADDRINUSE)' : cause.code;
    super(`metrics cannot listen on ${address} port ${port}: ${reason}`, { cause });
    this.name = 'MetricsListenError';
  }
}

interface Reply {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

const TEXT = 'text/plain; charset=utf-8';
const NOT_FOUND: Reply = { status: 404, type: TEXT, body: 'not found\n' };
const NOT_ALLOWED: Reply = { status: 405, type: TEXT, body: 'only GET and HEAD\n' };
const FAILED: Reply = { status: 500, type: TEXT, body: 'failed\n' };
const ALIVE: Reply = { status: 200, type: TEXT, body: 'ok' };

/** Limits for a few scrapers and probes with short requests. */
const HTTP_OPTIONS = {
  maxHeaderSize: 8192,
  headersTimeout: 5000,
  requestTimeout: 5000,
  keepAliveTimeout: 5000,
  connectionsCheckingInterval: 1000,
};
const IDLE_TIMEOUT_MS = 10_000;
/** A scrape takes some tens of milliseconds. */
const GRACE_MS = 1_000;

/** Serves `/metrics`, `/healthz` and `/readyz` on its own listeners. Requests are not logged. */
export class MetricsServer {
  private readonly servers: Server[] = [];
  private readonly exposition: MetricsServerOptions['exposition'];
  private readonly checks: readonly ReadinessCheck[];
  private readonly limits: MetricsServerOptions['limits'];

  private constructor(options: MetricsServerOptions) {
    this.exposition = options.exposition;
    this.checks = options.checks;
    this.limits = options.limits;
  }

  /** Opens all listeners, or none and throws MetricsListenError. */
  static async open(options: MetricsServerOptions): Promise<MetricsServer> {
    const metrics = new MetricsServer(options);
    try {
      for (const at of options.listen) metrics.servers.push(await metrics.listen(at));
    } catch (error) {
      await metrics.close();
      throw error;
    }
    return metrics;
  }

  /** Bound addresses, with the ports that the kernel chose for 0. */
  get addresses(): ListenAddress[] {
    return this.servers.map((server) => {
      const { address, port } = server.address() as AddressInfo;
      return { address, port };
    });
  }

  /** Stops accepting, finishes the answers under way, and closes the connections. */
  async close(): Promise<void> {
    const closed = Promise.all(this.servers.map((server) => new Promise((resolve) => server.close(resolve))));
    await Promise.race([closed, delay(GRACE_MS, undefined, { ref: false })]);
    for (const server of this.servers) server.closeAllConnections();
    await closed;
  }

  private listen(at: ListenAddress): Promise<Server> {
    const server = createServer(HTTP_OPTIONS);
    this.limits.attach(server, (request, response) => void this.answer(request, response));
    server.setTimeout(IDLE_TIMEOUT_MS);
    return new Promise((resolve, reject) => {
      server.on('error', (cause) => reject(new MetricsListenError(at, cause)));
      const { address: host, port, fd } = at;
      // As all listeners: [::] is IPv6 only.
      const ipv6Only = host.includes(':');
      server.listen(fd === undefined ? { host, port, ipv6Only, exclusive: true } : { fd }, () =>
        resolve(server),
      );
    });
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { status, type, body } = await this.reply(request).catch(() => FAILED);
    response.writeHead(status, {
      'content-type': type,
      'content-length': Buffer.byteLength(body),
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      ...(status === 405 && { allow: 'GET, HEAD' }),
    });
    response.end(body);
  }

  private async reply({ method, url = '' }: IncomingMessage): Promise<Reply> {
    if (method !== 'GET' && method !== 'HEAD') return NOT_ALLOWED;
    switch (url.split('?', 1)[0]) {
      case '/metrics':
        return { status: 200, type: this.exposition.contentType, body: await this.exposition.text() };
      case '/healthz':
        return ALIVE;
      case '/readyz':
        return this.readiness();
      default:
        return NOT_FOUND;
    }
  }

  private readiness(): Reply {
    const checks = this.checks.map(({ name, check }) => {
      const { ready, state, detail } = check();
      return { name, ready, state, ...detail };
    });
    const ready = checks.every((check) => check.ready);
    const body = `${JSON.stringify({ ready, checks })}\n`;
    return { status: ready ? 200 : 503, type: 'application/json', body };
  }
}
