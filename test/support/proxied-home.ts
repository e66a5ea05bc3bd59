import { once } from 'node:events';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll } from 'vitest';

const open = new Set<Server>();
afterAll(() => {
  for (const server of open) server.close();
});

/**
 * A home before which stands a proxy that ends TLS, as in production: whatever is sent to it reaches the API as of the
 * home's address, by X-Forwarded-For. The API must trust 127.0.0.1.
 */
export class ProxiedHome {
  /** Its address on the Internet, which its provider changes. */
  address: string;
  private readonly server: Server;
  private readonly api: string;
  /** Bodies of the API's replies, in order. */
  readonly replies: string[] = [];

  private constructor(api: string, address: string) {
    this.api = api;
    this.address = address;
    this.server = createServer((incoming, outgoing) => {
      const { method = 'GET', url, headers } = incoming;
      const sent = { ...headers, 'x-forwarded-for': this.address };
      const call = request(this.api + url, { method, headers: sent }, (reply) => {
        const chunks: Buffer[] = [];
        reply.on('data', (chunk) => chunks.push(chunk));
        reply.on('end', () => {
          const body = Buffer.concat(chunks);
          this.replies.push(body.toString());
          outgoing.writeHead(reply.statusCode!, reply.headers).end(body);
        });
      });
      incoming.pipe(call);
    });
  }

  static async open(api: string, address: string): Promise<ProxiedHome> {
    const home = new ProxiedHome(api, address);
    home.server.listen(0, '127.0.0.1');
    await once(home.server, 'listening');
    open.add(home.server);
    return home;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }
}
