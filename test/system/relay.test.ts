/**
 * The whole path, from outside: a device asks the edge, connects to the address it got, and receives the
 * origin's bytes.
 */
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer, type Server } from 'node:http';
import { createSecureServer, type Http2SecureServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeCertificate } from '../support/certificate.ts';
import { askUdp, shown } from '../support/dns-client.ts';
import { answer, FakeUpstream } from '../support/fake-upstream.ts';
import { type Endpoint, FILMS, RunningService, temporaryFolder, until } from '../support/service.ts';

const run = promisify(execFile);
const HOME = '127.0.6.1';
const STRANGER = '127.0.6.2';
const BODY = randomBytes(3 << 20);

let upstream: FakeUpstream;
let origin: Http2SecureServer;
let plain: Server;
let folder: string;

beforeAll(async () => {
  upstream = await FakeUpstream.start();
  upstream.udp = (query, replier) => {
    const answers =
      query.type === 'A' ? [{ type: 'A' as const, name: query.name, ttl: 60, data: '127.0.0.1' }] : [];
    answer({ answers })(query, replier);
  };
  folder = temporaryFolder();
  const certificate = makeCertificate([`DNS:${FILMS}`, `DNS:*.${FILMS}`]);
  writeFileSync(join(folder, 'ca.pem'), certificate.cert);
  origin = createSecureServer({ ...certificate, allowHTTP1: true }, (request, response) => {
    response.setHeader('x-protocol', request.httpVersion);
    response.end(BODY);
  });
  // HTTP listens on the same port of another address, as both share originPort.
  origin.listen(0, '127.0.0.1');
  await once(origin, 'listening');
  plain = createHttpServer((request, response) =>
    response.end(`plain ${request.headers.host} ${request.url}`),
  );
  plain.listen(0, '127.0.0.1');
  await once(plain, 'listening');
});
afterAll(async () => {
  origin.close();
  plain.close();
  await upstream.stop();
});

const portOf = (server: { address(): unknown }) => (server.address() as AddressInfo).port;

interface Relayed {
  readonly service: RunningService;
  readonly tls: Endpoint;
  readonly http: Endpoint;
}

async function start(
  originPort: number,
  relay: object = {},
  roles = ['control', 'edge', 'relay'],
): Promise<Relayed> {
  const service = await RunningService.start({
    config: {
      roles,
      upstreams: [upstream.url],
      regions: { us: { relays: [{ address: '127.0.0.1' }] } },
      relay: {
        tls: ['127.0.0.1:0'],
        http: ['127.0.0.1:0'],
        allowPrivateOrigins: true,
        region: 'us',
        originPort,
        drainSeconds: 2,
        ...relay,
      },
    },
  });
  const ready = (await service.logged('ready')) as unknown as { relay: { tls: string[]; http: string[] } };
  const endpoint = ([text]: string[]) => ({ host: '127.0.0.1', port: Number(text!.split(':')[1]) });
  return { service, tls: endpoint(ready.relay.tls), http: endpoint(ready.relay.http) };
}

/** curl from a home's address through the relay. @returns standard output, or the exit code */
async function curl(from: string, to: Endpoint, url: string, ...more: string[]): Promise<string> {
  const host = new URL(url).hostname;
  const way = ['--connect-to', `${host}::${to.host}:${to.port}`, '--interface', from, '--max-time', '10'];
  try {
    const { stdout } = await run('curl', ['-sS', '--cacert', join(folder, 'ca.pem'), ...way, ...more, url]);
    return stdout;
  } catch (error) {
    return `exit ${(error as { code: number }).code}`;
  }
}

describe.each(['epoll', 'streams'] as const)('the relay by %s', (engine) => {
  let relayed: Relayed;
  beforeAll(async () => {
    relayed = await start(portOf(origin), { engine });
    await relayed.service.household([HOME]);
  });
  afterAll(async () => {
    expect(await relayed.service.stop()).toEqual({ code: 0, signal: null });
    expect(relayed.service.stderr).toBe('');
    for (const secret of [HOME, STRANGER, FILMS]) expect(relayed.service.stdout).not.toContain(secret);
  });

  it('gets a registered device from the edge and serves curl with HTTP/1.1 and HTTP/2', async () => {
    const { service, tls } = relayed;
    expect(shown(await askUdp(service.udp, HOME, { name: FILMS }))).toBe(`NOERROR ${tls.host}`);
    for (const [option, version] of [
      ['--http1.1', '1.1'],
      ['--http2', '2.0'],
    ] as const) {
      const file = join(folder, `body-${engine}-${version}`);
      const shownByCurl = await curl(
        HOME,
        tls,
        `https://www.${FILMS}/`,
        option,
        '-o',
        file,
        '-w',
        '%header{x-protocol}',
      );
      expect(shownByCurl).toBe(version);
      expect(readFileSync(file).equals(BODY)).toBe(true);
    }
  });

  it("serves openssl s_client with the origin's own certificate", async () => {
    const { tls } = relayed;
    const child = spawn('openssl', [
      ...[
        's_client',
        '-connect',
        `${tls.host}:${tls.port}`,
        '-bind',
        `${HOME}:0`,
        '-servername',
        `a.${FILMS}`,
      ],
      ...['-CAfile', join(folder, 'ca.pem'), '-verify_return_error', '-verify_hostname', `a.${FILMS}`],
    ]);
    let out = '';
    child.stdout.on('data', (text) => {
      out += text;
    });
    child.stdin.end();
    await once(child, 'close');
    expect(out).toContain('Verify return code: 0 (ok)');
  });

  it('closes strangers and unlisted names before any answer', async () => {
    const { tls, service } = relayed;
    expect(await curl(STRANGER, tls, `https://${FILMS}/`)).toBe('exit 35');
    expect(await curl(HOME, tls, 'https://other.example/')).toBe('exit 35');
    expect(await curl(HOME, tls, `https://evil-${FILMS}/`)).toBe('exit 35');
    const metrics = await service.metrics();
    const counted = (service: string, outcome: string) =>
      new RegExp(`relay_connections_total{region="us",service="${service}",outcome="${outcome}"} [1-9]`);
    expect(metrics).toMatch(counted('none', 'unregistered'));
    expect(metrics).toMatch(counted('none', 'unlisted'));
    await until(
      async () => counted('films', 'carried').test(await service.metrics()),
      'the carried are counted',
    );
    for (const secret of [HOME, STRANGER, 'other.example']) expect(metrics).not.toContain(secret);
  });

  it("cuts a download within a second of its registration's end", async () => {
    const { service, tls } = relayed;
    const home = await service.household(['127.0.6.3']);
    const slow = curl(
      '127.0.6.3',
      tls,
      `https://${FILMS}/`,
      '--limit-rate',
      '10k',
      '-o',
      '/dev/null',
      '--max-time',
      '3',
    );
    await until(
      async () => /tunnels_open{region="us",service="films"} 1/.test(await service.metrics()),
      'it runs',
    );
    const own = service.as(home.secret, '127.0.6.3');
    const startedAt = performance.now();
    await own.call('DELETE', `/v1/registrations/${home.registrations['127.0.6.3']}`);
    const open = async () => /tunnels_open{region="us",service="films"}/.test(await service.metrics());
    await until(async () => !(await open()), 'it has ended');
    expect(performance.now() - startedAt).toBeLessThan(1000);
    expect(await slow).toMatch(/^exit/);
  });
});

it('a relay-only process serves HTTP by Host, keep-alive with a changed Host included', async () => {
  const { service, http } = await start(portOf(plain));
  await service.household([HOME]);
  const urls = [`http://${FILMS}/1`, `http://www.${FILMS}/2`];
  expect(await curl(HOME, http, urls[0]!)).toBe(`plain ${FILMS} /1`);
  expect(await curl(HOME, http, urls[0]!, '--http1.0')).toBe(`plain ${FILMS} /1`);
  const proxied = await run('curl', [
    '-sS',
    '--interface',
    HOME,
    '-x',
    `http://${http.host}:${http.port}`,
    ...urls,
  ]);
  expect(proxied.stdout).toBe(`plain ${FILMS} ${urls[0]}plain www.${FILMS} ${urls[1]}`);
  expect(await curl(STRANGER, http, urls[0]!)).toMatch(/^exit (52|56)$/);
  expect(await curl(HOME, http, 'http://other.example/')).toMatch(/^exit (52|56)$/);
  await service.stop();
  const alone = await RunningService.start({
    folder: service.folder,
    config: relayAlone(service, portOf(plain)),
  });
  const ready = (await alone.logged('ready')) as unknown as { relay: { http: string[] }; udp: string[] };
  expect(ready.udp).toEqual([]);
  const port = Number(ready.relay.http[0]!.split(':')[1]);
  expect(await curl(HOME, { host: '127.0.0.1', port }, urls[0]!)).toBe(`plain ${FILMS} /1`);
  expect((await fetch(`${alone.metricsUrl}/readyz`)).status).toBe(200);
  expect(await alone.stop()).toEqual({ code: 0, signal: null });
});

function relayAlone(service: RunningService, originPort: number) {
  return {
    roles: ['relay'],
    dataDir: service.dataDir,
    upstreams: [upstream.url],
    relay: { http: ['127.0.0.1:0'], allowPrivateOrigins: true, originPort },
  };
}

it('finishes a download after being told to stop', async () => {
  const { service, tls } = await start(portOf(origin));
  await service.household([HOME]);
  const file = join(folder, 'drained');
  const slow = curl(HOME, tls, `https://${FILMS}/`, '--limit-rate', '3M', '-o', file);
  await until(
    async () => /tunnels_open{region="us",service="films"} 1/.test(await service.metrics()),
    'it runs',
  );
  expect(await service.stop()).toEqual({ code: 0, signal: null });
  expect(await slow).toBe('');
  expect(readFileSync(file).equals(BODY)).toBe(true);
});
