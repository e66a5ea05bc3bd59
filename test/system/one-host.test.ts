/** One host under one name: the relay owns 443 and 80 and hands the host's own names to page, API and DNS over HTTPS. */
import { execFile } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect as connectTcp, type Socket } from 'node:net';
import { join } from 'node:path';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { id, opening, openServerInitial, VERSION_1 } from '../relay/quic/build.ts';
import { makeCertificate } from '../support/certificate.ts';
import { FakeUpstream } from '../support/fake-upstream.ts';
import { freePort } from '../support/redis-server.ts';
import { FILMS, RELAY, RunningService, temporaryFolder, until } from '../support/service.ts';

const run = promisify(execFile);
const DOMAIN = 'dns.home.example';
const ZONE = `test.${DOMAIN}`;
const HOST = '127.0.0.1';
const HOME = '127.0.0.21';
const STRANGER = '127.0.0.22';

describe.each(['epoll', 'streams'])('one host by %s', (engine) => {
  let service: RunningService;
  let folder: string;
  let port: number;
  let httpPort: number;
  let url: string;

  beforeAll(async () => {
    folder = temporaryFolder();
    port = await freePort();
    url = `https://${DOMAIN}:${port}`;
    const names = [DOMAIN, `*.reached.${ZONE}`, `*.registered.${ZONE}`, `*.relayed.${ZONE}`];
    const { cert, key } = makeCertificate(names.map((name) => `DNS:${name}`));
    writeFileSync(join(folder, 'cert.pem'), cert);
    writeFileSync(join(folder, 'key.pem'), key);
    const upstream = await FakeUpstream.start();
    service = await RunningService.start({
      config: {
        domain: DOMAIN,
        address: HOST,
        roles: ['control', 'edge', 'relay'],
        tls: { certFile: join(folder, 'cert.pem'), keyFile: join(folder, 'key.pem') },
        dns: { tls: [`${HOST}:0`], workers: 1 },
        control: { publicUrl: url },
        relay: {
          tls: [`${HOST}:${port}`],
          http: [`${HOST}:0`],
          quic: [`${HOST}:${port}`],
          engine,
          workers: 1,
        },
        upstreams: [upstream.url],
      },
    });
    const ready = (await service.logged('ready')) as unknown as { relay: { http: string[]; engine: string } };
    expect(ready.relay.engine).toBe(engine);
    httpPort = Number(ready.relay.http[0]!.split(':')[1]);
    await service.household([HOME]);
  });
  afterAll(async () => {
    expect((await service.stop()).code).toBe(0);
  });

  /** Runs curl from an address, with the host's name resolved to it. */
  async function curl(from: string, ...args: string[]): Promise<string> {
    const hosts = [DOMAIN, `x.reached.${ZONE}`, `x.registered.${ZONE}`, `x.relayed.${ZONE}`];
    const resolved = hosts.flatMap((host) => [
      ...['--resolve', `${host}:${port}:${HOST}`],
      ...['--resolve', `${host}:${httpPort}:${HOST}`],
    ]);
    const options = ['-sS', '--cacert', join(folder, 'cert.pem'), '--interface', from, '--max-time', '10'];
    const { stdout } = await run('curl', [...options, ...resolved, ...args]);
    return stdout;
  }

  it('serves the page and the API by HTTP/2 and HTTP/1.1, and knows the caller', async () => {
    for (const version of ['--http2', '--http1.1']) {
      for (const from of [HOME, STRANGER]) {
        expect(JSON.parse(await curl(from, version, `${url}/v1/ip`))).toEqual({ address: from });
        expect(await curl(from, version, `${url}/sign-in`)).toContain('<html');
      }
    }
    const head = await curl(
      STRANGER,
      '-o',
      '/dev/null',
      '-w',
      '%{http_version} %{http_code}',
      `${url}/sign-in`,
    );
    expect(head).toBe('2 200');
  });

  it('registers and signs in there, as on the API of its own', async () => {
    const { secret } = await service.admin.make('/v1/accounts');
    for (const version of ['--http2', '--http1.1']) {
      const args = [
        '-H',
        `Authorization: Bearer ${secret}`,
        '-H',
        'Content-Type: application/json',
        '-d',
        '{}',
      ];
      const made = JSON.parse(await curl('127.0.0.31', version, ...args, `${url}/v1/registrations`));
      expect(made.address).toBe('127.0.0.31');
      const login = [
        '-d',
        JSON.stringify({ secret }),
        '-H',
        `Origin: ${url}`,
        '-H',
        'Content-Type: application/json',
      ];
      const code = ['-o', '/dev/null', '-w', '%{http_code}'];
      expect(await curl(STRANGER, version, ...code, ...login, `${url}/v1/session`)).toBe('204');
    }
    const code = ['-o', '/dev/null', '-w', '%{http_code}'];
    const foreign = ['-H', 'Host: other.example', ...code];
    for (const version of ['--http2', '--http1.1']) {
      expect(await curl(STRANGER, version, ...foreign, `${url}/v1/ip`)).toBe('421');
      expect(await curl(STRANGER, version, ...code, `${url}/v1/account`)).toBe('401');
      expect(await curl(STRANGER, version, ...code, `${url}/nothing`)).toBe('404');
    }
  });

  it('answers DNS over HTTPS on the same name, for registered addresses', async () => {
    const { stdout } = await run('kdig', [
      ...['+timeout=5', '+retry=0'],
      ...[`@${HOST}`, '-p', String(port), '-b', HOME, `+https=/dns-query`, `+tls-hostname=${DOMAIN}`],
      ...[`+tls-ca=${join(folder, 'cert.pem')}`, '+short', FILMS],
    ]);
    expect(stdout.trim()).toBe(RELAY.us.address);
    const query = Buffer.from('00000100000100000000000007746573742d66696c6d7303636f6d0000010001', 'hex');
    const binary = join(folder, 'query');
    writeFileSync(binary, query);
    const get = `${url}/dns-query?dns=${query.toString('base64url')}`;
    const type = 'Content-Type: application/dns-message';
    const shown = ['-o', '/dev/null', '-w', '%{http_code} %{content_type}'];
    for (const version of ['--http2', '--http1.1']) {
      const post = ['--data-binary', `@${binary}`, '-H', type, `${url}/dns-query`];
      for (const request of [[get], post]) {
        expect(await curl(HOME, version, ...shown, ...request)).toBe('200 application/dns-message');
        expect(await curl(STRANGER, version, ...shown, ...request)).toBe('403 ');
      }
      expect(await curl(HOME, version, ...shown, `${url}/dns-query`)).toBe('400 ');
      expect(await curl(HOME, version, ...shown, '-X', 'DELETE', get)).toBe('405 ');
      const large = ['--data-binary', 'x'.repeat(5000), '-H', type];
      expect(await curl(HOME, version, ...shown, ...large, `${url}/dns-query`)).toBe('413 ');
    }
  });

  it('tells devices of registered homes that it serves DNS over TLS and HTTPS under its name', async () => {
    const [udp] = (await service.logged('ready'))['udp'] as string[];
    const at = ['-p', udp!.split(':').at(-1)!];
    const { stdout } = await run('kdig', [
      `@${HOST}`,
      ...at,
      '-b',
      HOME,
      '+short',
      '_dns.resolver.arpa',
      'SVCB',
    ]);
    const lines = stdout.trim().split('\n').sort();
    expect(lines).toEqual([
      expect.stringMatching(/^1 dns\.home\.example\. alpn="?dot"? port="?\d+"?/),
      expect.stringMatching(
        /^2 dns\.home\.example\. alpn="?h2,http\/1\.1"? port="?\d+"? .*\/dns-query\{\?dns\}/,
      ),
    ]);
    expect(lines[1]).toContain(String(port));
  });

  it("serves the self-test's picture, and to registered homes through the relay", async () => {
    const code = ['-o', '/dev/null', '-w', '%{http_code}'];
    for (const name of ['reached', 'registered', 'relayed']) {
      expect(await curl(HOME, ...code, `https://x.${name}.${ZONE}:${port}/probe.svg`)).toBe('200');
    }
    expect(await curl(HOME, ...code, `https://x.relayed.${ZONE}:${port}/v1/ip`)).toBe('421');
    await expect(curl(STRANGER, ...code, `https://x.relayed.${ZONE}:${port}/probe.svg`)).rejects.toThrow();
  });

  it('sends people who type the name without https there', async () => {
    const shown = ['-o', '/dev/null', '-w', '%{http_code} %{redirect_url}'];
    expect(await curl(STRANGER, ...shown, `http://${DOMAIN}:${httpPort}/a?b=c`)).toBe(`301 ${url}/a?b=c`);
    expect(await curl(HOME, ...shown, '-d', '{}', `http://${DOMAIN}:${httpPort}/v1`)).toBe(`308 ${url}/v1`);
    const unknown = `http://${DOMAIN}:${httpPort}/.well-known/acme-challenge/unknown`;
    expect(await curl(STRANGER, ...shown, unknown)).toBe('404 ');
  });

  /** Opens idle connections from an address. */
  const hold = (from: string, count: number): Socket[] =>
    Array.from({ length: count }, () => {
      const socket = connectTcp({ host: HOST, port, localAddress: from });
      return socket.on('error', () => {}).resume();
    });

  it('serves the page while another stranger holds all the connections that it can get', async () => {
    const held = hold('127.0.0.66', 300);
    const handshakes = Array.from({ length: 40 }, () =>
      connectTls({
        host: HOST,
        port,
        localAddress: '127.0.0.67',
        servername: DOMAIN,
        rejectUnauthorized: false,
      } as ConnectionOptions),
    );
    for (const socket of handshakes) socket.on('error', () => {});
    expect(JSON.parse(await curl(STRANGER, `${url}/v1/ip`))).toEqual({ address: STRANGER });
    expect(JSON.parse(await curl(HOME, `${url}/v1/ip`))).toEqual({ address: HOME });
    for (const socket of [...held, ...handshakes]) socket.destroy();
  });

  it('serves the page while many strangers fill their pool, and homes as ever', async () => {
    const held: Socket[] = [];
    // Each may hold an eighth of the pool.
    for (let at = 0; at < 12; at++) held.push(...hold(`127.0.1.${at + 1}`, 40));
    await until(() => held.filter(({ destroyed }) => !destroyed).length <= 256, 'the pool is full');
    for (const from of [STRANGER, HOME, STRANGER]) {
      expect(JSON.parse(await curl(from, `${url}/v1/ip`))).toEqual({ address: from });
    }
    for (const socket of held) socket.destroy();
  });

  it('refuses QUIC for its own name at once, so that browsers come by TCP', async () => {
    const stranger = createSocket('udp4');
    stranger.bind(0, STRANGER);
    await once(stranger, 'listening');
    const destination = id('firstone');
    const [packet] = opening(DOMAIN, { destination });
    stranger.send(packet!, port, HOST);
    const [reply] = (await once(stranger, 'message')) as [Buffer];
    stranger.close();
    // CONNECTION_CLOSE with CONNECTION_REFUSED (RFC 9000, section 20.1), in fewer bytes than were sent.
    expect(openServerInitial(reply, VERSION_1, destination).frames.toString('hex')).toBe('1c020000');
    expect(reply.length).toBeLessThan(packet!.length / 4);
    expect(JSON.parse(await curl(STRANGER, `${url}/v1/ip`))).toEqual({ address: STRANGER });
  });

  it('lets no slow request keep others from the page', async () => {
    const slow = hold('127.0.0.68', 30);
    const plain = Array.from({ length: 30 }, () => {
      const socket = connectTcp({ host: HOST, port: httpPort, localAddress: '127.0.0.69' });
      return socket.on('error', () => {});
    });
    for (const socket of plain) socket.write(`GET / HTTP/1.1\r\nHost: ${DOMAIN}\r\nX-`);
    for (const socket of slow) socket.write(Buffer.of(22, 3, 1));
    const code = ['-o', '/dev/null', '-w', '%{http_code}'];
    expect(await curl(STRANGER, ...code, `http://${DOMAIN}:${httpPort}/`)).toBe('301');
    expect(JSON.parse(await curl(STRANGER, `${url}/v1/ip`))).toEqual({ address: STRANGER });
    for (const socket of [...slow, ...plain]) socket.destroy();
  });
});
