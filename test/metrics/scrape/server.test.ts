import { once } from 'node:events';
import { type IncomingHttpHeaders, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import {
  type ListenAddress,
  MetricsListenError,
  MetricsServer,
  type ReadinessCheck,
} from '../../../src/metrics/scrape/index.ts';
import { HttpLimits } from '../../../src/net/index.ts';

const exposition = { contentType: 'text/plain; version=0.0.4', text: async () => 'metric_total 1\n' };
const LOOPBACK = { address: '127.0.0.1', port: 0 };

const limits = () => new HttpLimits({ connections: 64, connectionsPerSource: 16, isProxy: () => false });
let open: MetricsServer | null = null;
afterEach(async () => {
  await open?.close();
  open = null;
});

async function start(
  options: Partial<Parameters<typeof MetricsServer.open>[0]> = {},
): Promise<ListenAddress> {
  open = await MetricsServer.open({
    listen: [LOOPBACK],
    exposition,
    checks: [],
    limits: limits(),
    ...options,
  });
  return open.addresses[0];
}

function call({ address, port }: ListenAddress, path: string, method = 'GET') {
  return new Promise<{ status: number | undefined; headers: IncomingHttpHeaders; body: string }>(
    (resolve, reject) => {
      const sent = request({ host: address, port, path, method, agent: false }, async (response) => {
        let body = '';
        for await (const chunk of response) body += chunk;
        resolve({ status: response.statusCode, headers: response.headers, body });
      });
      sent.on('error', reject).end();
    },
  );
}

/** Sends `text` and returns everything until the server closes. */
function raw({ address, port }: ListenAddress, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let reply = '';
    const socket = connect(port, address, () => socket.write(text));
    socket.on('data', (chunk) => {
      reply += chunk;
    });
    socket.on('error', reject).on('close', () => resolve(reply));
  });
}

describe('MetricsServer', () => {
  it('serves the metrics', async () => {
    const { status, headers, body } = await call(await start(), '/metrics?name[]=x');
    expect([status, headers['content-type'], body]).toEqual([
      200,
      'text/plain; version=0.0.4',
      'metric_total 1\n',
    ]);
    expect(headers['cache-control']).toBe('no-store');
  });

  it('is healthy while the process lives, ready or not', async () => {
    const checks = [{ name: 'store', check: () => ({ ready: false, state: 'lost' }) }];
    const { status, body } = await call(await start({ checks }), '/healthz');
    expect([status, body]).toEqual([200, 'ok']);
  });

  it('is ready when every check is, and lists each with its state', async () => {
    let following = false;
    const checks: ReadinessCheck[] = [
      { name: 'store', check: () => ({ ready: true, state: 'open' }) },
      { name: 'allowlist', check: () => ({ ready: following, state: following ? 'following' : 'loading' }) },
    ];
    const at = await start({ checks });
    const before = await call(at, '/readyz');
    expect([before.status, before.headers['content-type']]).toEqual([503, 'application/json']);
    expect(JSON.parse(before.body)).toEqual({
      ready: false,
      checks: [
        { name: 'store', ready: true, state: 'open' },
        { name: 'allowlist', ready: false, state: 'loading' },
      ],
    });
    following = true;
    const after = await call(at, '/readyz');
    expect([after.status, JSON.parse(after.body).ready]).toEqual([200, true]);
  });

  it('answers HEAD with the headers of GET and no body', async () => {
    const { status, headers, body } = await call(await start(), '/metrics', 'HEAD');
    expect([status, headers['content-length'], body]).toEqual([200, '15', '']);
  });

  it('answers 404 for other paths and 405 for other methods', async () => {
    const at = await start();
    for (const path of ['/', '/metrics/', '/Metrics', '//metrics', '/debug']) {
      expect((await call(at, path)).status).toBe(404);
    }
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
      const { status, headers } = await call(at, '/metrics', method);
      expect([status, headers['allow']]).toEqual([405, 'GET, HEAD']);
    }
  });

  it('shows no detail of a failed scrape or check', async () => {
    const at = await start({
      exposition: { ...exposition, text: () => Promise.reject(new Error('192.0.2.1')) },
      checks: [
        {
          name: 'store',
          check: () => {
            throw new Error('192.0.2.1');
          },
        },
      ],
    });
    for (const path of ['/metrics', '/readyz']) {
      const { status, body } = await call(at, path);
      expect([status, body]).toEqual([500, 'failed\n']);
    }
  });

  it('closes connections with endless headers or without HTTP', async () => {
    const at = await start();
    const long = `GET /metrics HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(9000)}\r\n\r\n`;
    expect(await raw(at, long)).toMatch(/^HTTP\/1\.1 431 /);
    expect(await raw(at, 'hello\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /);
  });

  it('listens on several addresses', async () => {
    await start({ listen: [LOOPBACK, { address: '127.0.0.2', port: 0 }] });
    const addresses = (open as MetricsServer).addresses;
    expect(addresses.map(({ address }) => address)).toEqual(['127.0.0.1', '127.0.0.2']);
    for (const at of addresses) expect((await call(at, '/healthz')).status).toBe(200);
  });

  it('opens all listeners or none, and names the one that failed', async () => {
    const taken = await start();
    const free = { address: '127.0.0.2', port: taken.port };
    const failed = MetricsServer.open({ listen: [free, taken], exposition, checks: [], limits: limits() });
    await expect(failed).rejects.toThrow(MetricsListenError);
    await expect(failed).rejects.toMatchObject({
      code: 'listen_failed',
      message: expect.stringContaining('EADDRINUSE'),
    });
    await expect(call(free, '/healthz')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('serves a scraper while another client keeps connections', async () => {
    const address = await start();
    const kept: Socket[] = [];
    for (let index = 0; index < 100; index += 1) {
      const socket = connect({
        port: address.port,
        host: '127.0.0.1',
        localAddress: `127.0.5.${index % 40}`,
      });
      socket.on('error', () => {}).resume();
      await once(socket, 'connect');
      kept.push(socket);
    }
    expect((await call(address, '/healthz')).status).toBe(200);
    for (const socket of kept) socket.destroy();
  });

  it('closes at once, open connections too', async () => {
    const at = await start();
    const idle = raw(at, '');
    await call(at, '/healthz');
    await (open as MetricsServer).close();
    open = null;
    expect(await idle).toBe('');
    await expect(call(at, '/healthz')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });
});

it('listens by IPv6 only on [::], so that 0.0.0.0 may have the same port', async () => {
  const { port } = await start({ listen: [{ address: '::', port: 0 }] });
  expect((await call({ address: '::1', port }, '/healthz')).status).toBe(200);
  await expect(call({ address: '127.0.0.1', port }, '/healthz')).rejects.toThrow('ECONNREFUSED');
});
