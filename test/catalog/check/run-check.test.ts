import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createSecureServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { Agent } from 'undici';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runCheck, type ServiceCheck } from '../../../src/catalog/check/index.ts';
import { makeCertificate } from '../../support/certificate.ts';

const HOST = 'www.films.com';
const paths: string[] = [];
const versions = new Set<string>();
let dispatcher: Agent;
const server = createSecureServer(
  { ...makeCertificate([`DNS:${HOST}`]), allowHTTP1: true },
  (request, response) => reply(request as unknown as IncomingMessage, response as unknown as ServerResponse),
);

function reply(request: IncomingMessage, response: ServerResponse): void {
  const path = request.url!;
  paths.push(path);
  versions.add(request.httpVersion);
  if (path === '/hang') return;
  if (path === '/huge') {
    const more = (): void => void response.write('x'.repeat(60_000), () => setImmediate(more));
    response.writeHead(200);
    response.on('error', () => {});
    more();
    return;
  }
  const location = new Map([
    ['/moved', '/ok'],
    ['/abroad', 'https://elsewhere.com/ok'],
    ['/loop', '/loop'],
    ['/refused', '/unavailable'],
  ]).get(path);
  if (location !== undefined) response.writeHead(302, { location }).end();
  else if (path === '/gzip') response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('welcome'));
  else response.writeHead(path === '/ok' ? 200 : 404).end(path === '/ok' ? 'welcome' : '');
}

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  dispatcher = new Agent({
    allowH2: true,
    connect: {
      rejectUnauthorized: false,
      lookup: (_host, _options, callback) => callback(null, [{ address: '127.0.0.1', family: 4 }]),
    },
  }).compose(
    (dispatch) => (options, handler) => dispatch({ ...options, origin: `https://${HOST}:${port}` }, handler),
  ) as Agent;
});
afterAll(async () => {
  await dispatcher.destroy();
  server.close();
});

async function run(path: string, timeoutMs = 20_000): Promise<string> {
  const check: ServiceCheck = {
    url: `https://${HOST}${path}`,
    method: 'GET',
    verified: null,
    expect: { status: [200], header: {}, body: ['welcome'] },
    blocked: { status: [], header: { location: '/unavailable' }, body: [] },
    region: null,
  };
  const covers = (host: string) => host.endsWith('.films.com');
  const { verdict, reason } = await runCheck(check, { dispatcher, region: null, covers, timeoutMs });
  return `${verdict}: ${reason}`;
}

it('reads the reply, compressed or not, over HTTP/2', async () => {
  expect(await run('/ok')).toBe('ok: as expected');
  expect(await run('/gzip')).toBe('ok: as expected');
  expect([...versions]).toEqual(['2.0']);
});

it("follows redirects within the service's names, three at most, and judges each", async () => {
  expect(await run('/moved')).toBe('ok: as expected');
  expect(await run('/abroad')).toBe('unknown: status 302');
  expect(await run('/refused')).toBe('blocked: location has "/unavailable"');
  paths.length = 0;
  expect(await run('/loop')).toBe('unknown: status 302');
  expect(paths).toHaveLength(4);
});

it('reads the beginning of an endless body', async () => {
  expect(await run('/huge')).toBe('unknown: body lacks "welcome"');
});

it('calls silence, a closed port and a bad name unreachable', async () => {
  expect(await run('/hang', 300)).toBe('unreachable: timeout');
  const closed = createServer();
  await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve));
  const { port } = closed.address() as AddressInfo;
  await new Promise((resolve) => closed.close(resolve));
  const nowhere = new Agent().compose(
    (dispatch) => (options, handler) =>
      dispatch({ ...options, origin: `https://127.0.0.1:${port}` }, handler),
  );
  const check: ServiceCheck = {
    url: `https://${HOST}/ok`,
    method: 'GET',
    verified: null,
    expect: { status: [200], header: {}, body: [] },
    blocked: null,
    region: null,
  };
  const options = { dispatcher: nowhere, region: null, covers: () => true, timeoutMs: 20_000 };
  expect(await runCheck(check, options)).toEqual({
    verdict: 'unreachable',
    reason: 'ECONNREFUSED',
    country: null,
  });
  await nowhere.destroy();
});
