/** Private names with real clients: kdig over DNS over TLS, curl over DNS over HTTPS, in one process and over Redis. */
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { connect as connectTcp, type Socket } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeCertificate } from '../support/certificate.ts';
import { askUdp, encodeQuery, readReply, shown } from '../support/dns-client.ts';
import { FakeUpstream } from '../support/fake-upstream.ts';
import { RedisServer } from '../support/redis-server.ts';
import { type Endpoint, FILMS, RELAY, RunningService, temporaryFolder } from '../support/service.ts';

const run = promisify(execFile);
const DOMAIN = 'dns.example';
/** The upstream's answer to every name. */
const PLAIN = '192.0.2.1';
const STEERED = `NOERROR ${RELAY.us.address}`;
const DEAD = 'a'.repeat(26);
const EDGE_KEY = 'the-key-of-the-edges';

interface Name {
  readonly id: string;
  readonly dot: string;
  readonly doh: string;
}

let folder: string;
let certificate: string;
let upstream: FakeUpstream;
let service: RunningService;
let secret: string;

const tokenOf = ({ dot }: Name) => dot.split('.')[0]!;
const config = (fields: object = {}) => ({
  dns: { tls: ['127.0.0.1:0'], https: ['127.0.0.1:0'], workers: 2 },
  tls: { certFile: certificate, keyFile: join(folder, 'key.pem') },
  privateNames: { domain: DOMAIN },
  upstreams: [upstream.url],
  ...fields,
});

beforeAll(async () => {
  folder = temporaryFolder();
  certificate = join(folder, 'cert.pem');
  const { cert, key } = makeCertificate([`DNS:${DOMAIN}`, `DNS:*.${DOMAIN}`]);
  writeFileSync(certificate, cert);
  writeFileSync(join(folder, 'key.pem'), key);
  upstream = await FakeUpstream.start();
  service = await RunningService.start({ config: config() });
  ({ secret } = await service.household([]));
});
afterAll(async () => {
  await service?.stop();
});

const make = (body: object = {}): Promise<Name> =>
  service.as(secret).make('/v1/private-names', { label: 'TV', ...body });

/** Asks with kdig over DNS over TLS. @returns what it prints; null if the connection is closed */
async function kdig(to: Endpoint, from: string, serverName: string, name = FILMS): Promise<string | null> {
  const tls = [`+tls-ca=${certificate}`, `+tls-hostname=${serverName}`, `+tls-sni=${serverName}`];
  const args = ['-b', from, `@${to.host}`, '-p', String(to.port), '+tls', ...tls, '+short', '+retry=0', name];
  const { stdout } = await run('kdig', args).catch((error) => error as { stdout: string });
  return /^[\d.]+$/m.exec(stdout)?.[0] ?? null;
}

/** Asks with curl over DNS over HTTPS. @returns the status, and the answer of a 200 */
async function curl(from: string, path: string, options: readonly string[] = []): Promise<string> {
  const { port } = service.https;
  const query = encodeQuery({ name: FILMS, id: 0 }).toString('base64url');
  const url = `https://${DOMAIN}:${port}${path}?dns=${query}`;
  const resolve = ['--resolve', `${DOMAIN}:${port}:127.0.0.1`, '--cacert', certificate];
  const { stdout } = await run(
    'curl',
    ['--silent', '--interface', from, ...resolve, ...options, '--write-out', '\n%{http_code}', url],
    { encoding: 'buffer' },
  );
  const end = stdout.lastIndexOf('\n');
  const status = stdout.subarray(end + 1).toString();
  return status === '200' ? shown(readReply(stdout.subarray(0, end))) : status;
}

/** Opens a TLS connection with a server name, or none. @returns bytes received before it closed */
async function heard(from: string, serverName: string | null): Promise<number> {
  const raw: Socket = connectTcp({ ...service.tls, localAddress: from });
  let bytes = 0;
  raw.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
  });
  raw.on('error', () => {});
  const closed = new Promise((resolve) => raw.once('close', resolve));
  const name = serverName === null ? {} : { servername: serverName };
  connectTls({ socket: raw, rejectUnauthorized: false, ...name }).on('error', () => {});
  await closed;
  return bytes;
}

const addresses = async (of = service, key = secret): Promise<string[]> => {
  const { body } = await of.as(key).call('GET', '/v1/registrations');
  return (body as { registrations: { address: string }[] }).registrations.map(({ address }) => address);
};

describe('DNS over TLS', () => {
  it('registers the source, and steers its first answer', async () => {
    const name = await make();
    expect(await kdig(service.tls, '127.0.1.1', name.dot)).toBe(RELAY.us.address);
    expect(await addresses()).toContain('127.0.1.1');
    expect(shown(await askUdp(service.udp, '127.0.1.1', { name: FILMS }))).toBe(STEERED);
  });

  it('takes the name in capitals', async () => {
    const name = await make();
    expect(await kdig(service.tls, '127.0.1.2', name.dot.toUpperCase())).toBe(RELAY.us.address);
  });

  it('is closed with no byte sent, without a live name', async () => {
    const ended = await make();
    await service.as(secret).call('DELETE', `/v1/private-names/${ended.id}`);
    for (const name of [null, DOMAIN, `${DEAD}.${DOMAIN}`, `${DEAD}.other.example`, ended.dot]) {
      expect(await heard('127.0.9.9', name), String(name)).toBe(0);
    }
    expect(shown(await askUdp(service.udp, '127.0.9.9', { name: FILMS }))).toBe('REFUSED');
  });

  it('resolves as usual, and registers nothing, while a home-only name is away from home', async () => {
    const name = await make();
    await kdig(service.tls, '127.0.1.3', name.dot);
    expect(await kdig(service.tls, '127.0.2.3', name.dot), 'not steered').toBe(PLAIN);
    expect(await addresses()).not.toContain('127.0.2.3');
    expect(shown(await askUdp(service.udp, '127.0.2.3', { name: FILMS }))).toBe('REFUSED');
    await service.as(secret).call('PATCH', `/v1/private-names/${name.id}`, { homeOnly: false });
    expect(await kdig(service.tls, '127.0.1.3', name.dot), 'the home is served').toBe(RELAY.us.address);
  });

  it('serves an honest client while a neighborhood guesses', async () => {
    const name = await make();
    const guesses = Array.from({ length: 300 }, (_, index) =>
      heard(
        '127.0.9.9',
        `${index
          .toString(32)
          .padStart(26, 'b')
          .replace(/[0189]/g, 'z')}.${DOMAIN}`,
      ),
    );
    expect(await kdig(service.tls, '127.0.1.4', name.dot)).toBe(RELAY.us.address);
    expect(new Set(await Promise.all(guesses))).toEqual(new Set([0]));
    expect(await kdig(service.tls, '127.0.1.4', name.dot)).toBe(RELAY.us.address);
  });
});

describe('DNS over HTTPS', () => {
  it.each([
    ['HTTP/2', '--http2'],
    ['HTTP/1.1', '--http1.1'],
  ])('registers the source by the path, and steers its first answer, over %s', async (version, option) => {
    const name = await make();
    const from = version === 'HTTP/2' ? '127.0.3.1' : '127.0.3.2';
    expect(await curl(from, `/dns-query/${tokenOf(name)}`, [option])).toBe(STEERED);
    expect(await addresses()).toContain(from);
    expect(await curl(from, '/dns-query', [option]), 'registered now').toBe(STEERED);
  });

  it.each(['--http2', '--http1.1'])('answers 403 and closes without a live name (%s)', async (option) => {
    for (const path of ['/dns-query', `/dns-query/${DEAD}`, '/dns-query/x', '/', `/dns-query/${DEAD}/x`]) {
      expect(await curl('127.0.9.8', path, [option]), path).toBe('403');
    }
    expect(shown(await askUdp(service.udp, '127.0.9.8', { name: FILMS }))).toBe('REFUSED');
  });

  it('answers 404 for other paths of a registered home, with or without a name', async () => {
    await service.household(['127.0.3.9']);
    expect(await curl('127.0.3.9', '/dns-query/x')).toBe('404');
    expect(await curl('127.0.3.9', `/dns-query/${DEAD}`)).toBe(STEERED);
  });

  it('resolves as usual while a home-only name is away from home', async () => {
    const path = `/dns-query/${tokenOf(await make())}`;
    await curl('127.0.3.3', path);
    expect(await curl('127.0.4.3', path)).toBe(`NOERROR ${PLAIN}`);
    expect(await addresses()).not.toContain('127.0.4.3');
  });
});

it('logs no name', async () => {
  const name = await make();
  await kdig(service.tls, '127.0.1.5', name.dot);
  await curl('127.0.3.5', `/dns-query/${tokenOf(name)}`);
  expect(service.stdout + service.stderr).not.toContain(tokenOf(name));
  expect(await service.metrics()).not.toContain(tokenOf(name));
});

it('an edge in another process registers through the API, with a key that opens nothing else', async () => {
  const redis = await RedisServer.start({ shipped: true });
  const privateNames = { domain: DOMAIN, key: 'the-key-of-the-hashes', edgeKey: EDGE_KEY };
  const control = await RunningService.start({
    config: { roles: ['control'], store: redis.url, privateNames },
  });
  const { controlUrl } = control;
  const { key: _, ...seen } = privateNames;
  const edge = await RunningService.start({
    config: config({
      roles: ['edge'],
      store: redis.url,
      privateNames: { ...seen, controlUrl },
    }),
  });
  const { secret: owner } = await control.household([]);
  const name: Name = await control.as(owner).make('/v1/private-names', { label: 'TV' });
  expect(await kdig(edge.tls, '127.0.5.1', name.dot)).toBe(RELAY.us.address);
  expect(await addresses(control, owner)).toEqual(['127.0.5.1']);
  await control.stop();
  expect(await kdig(edge.tls, '127.0.5.1', name.dot), 'a registered home needs no control').toBe(
    RELAY.us.address,
  );
  expect(await kdig(edge.tls, '127.0.6.1', name.dot), 'a new address does').toBeNull();
  await edge.logged(
    'private names cannot be registered: the control does not answer; registered homes are served',
  );
  await edge.stop();
  await redis.stop();
});
