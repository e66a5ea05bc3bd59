/** Foreign DNS clients over every transport, and the TLS versions and suites of the listeners. */
import { execFile, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import autocannon from 'autocannon';
import { Client } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeCertificate } from '../support/certificate.ts';
import { encodeQuery, readReply } from '../support/dns-client.ts';
import { FILMS, RELAY, RunningService, temporaryFolder } from '../support/service.ts';

const run = promisify(execFile);
const HOME = '127.0.0.1';
const NAME = 'dns.example';
const COUNT = 400;

let service: RunningService;
let folder: string;
let queries: string;

beforeAll(async () => {
  folder = temporaryFolder();
  const { cert, key } = makeCertificate([`DNS:${NAME}`, 'IP:127.0.0.1']);
  const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  writeFileSync(certFile, cert);
  writeFileSync(keyFile, key);
  queries = join(folder, 'queries');
  writeFileSync(queries, `${FILMS} A\nwww.${FILMS} A\n`);
  const dns = { tls: ['127.0.0.1:0'], https: ['127.0.0.1:0'], workers: 2 };
  service = await RunningService.start({ config: { dns, tls: { certFile, keyFile } } });
  await service.household([HOME]);
});
afterAll(async () => {
  await service?.stop();
});

const PATH = `/dns-query?dns=${encodeQuery({ name: FILMS, id: 0 }).toString('base64url')}`;
const url = (path: string): string => `https://127.0.0.1:${service.https.port}${path}`;

describe('a steered name is answered to', () => {
  it.each([
    ['dig over UDP', 'dig', 'udp', []],
    ['dig over TCP', 'dig', 'tcp', ['+tcp']],
    ['dig over TLS', 'dig', 'tls', ['+tls']],
    ['dig over HTTPS', 'dig', 'https', ['+https']],
    ['dig over HTTPS by GET', 'dig', 'https', ['+https-get']],
    ['kdig over UDP', 'kdig', 'udp', []],
    ['kdig over TCP', 'kdig', 'tcp', ['+tcp']],
    ['kdig over TLS, with padding', 'kdig', 'tls', ['+tls', '+padding']],
    ['kdig over HTTPS', 'kdig', 'https', ['+https']],
    ['kdig over HTTPS by GET', 'kdig', 'https', ['+https', '+https-get']],
  ] as const)('%s', async (_, command, transport, options) => {
    const { host, port } = service[transport];
    const args = [`@${host}`, '-p', String(port), ...options, '+short', FILMS, 'A'];
    expect((await run(command, args)).stdout.trim()).toBe(RELAY.us.address);
  });

  it('kdig over TLS with SNI, which verifies the certificate by that name', async () => {
    const { host, port } = service.tls;
    const options = [
      `+tls-ca=${join(folder, 'cert.pem')}`,
      `+tls-hostname=${NAME}`,
      `+tls-sni=${NAME}`,
      '+short',
    ];
    const ask = (...more: string[]) =>
      run('kdig', [`@${host}`, '-p', String(port), '+tls', ...options, ...more, FILMS, 'A']);
    expect((await ask()).stdout.trim()).toBe(RELAY.us.address);
    const foreign = await ask('+tls-hostname=other.example', '+retry=0').catch((error) => error);
    expect(String(foreign.stdout).trim()).not.toContain(RELAY.us.address);
  });

  it.each(['--http2', '--http1.1'])(
    'curl %s by GET and POST, many requests per connection',
    async (version) => {
      const message = join(folder, 'message');
      writeFileSync(message, encodeQuery({ name: FILMS, id: 0 }));
      const type = 'content-type: application/dns-message';
      const post = ['-H', type, '--data-binary', `@${message}`, url('/dns-query')];
      const shown = ['-w', '%{http_code} %{num_connects}\n', '-o', '/dev/null'];
      const common = ['-sk', version, ...shown];
      const args = [...common, url(PATH), '--next', ...common, ...post, '--next', ...common, url(PATH)];
      expect((await run('curl', args)).stdout).toBe('200 1\n200 0\n200 0\n');
      const chunked = ['-sk', version, '-H', 'transfer-encoding: chunked', ...post];
      const { stdout } = await run('curl', chunked, { encoding: 'buffer' });
      expect(readReply(stdout).data).toEqual([RELAY.us.address]);
    },
  );

  it.each([
    ['UDP', 'udp', 'udp'],
    ['TCP', 'tcp', 'tcp'],
    ['TLS', 'dot', 'tls'],
  ] as const)(`dnsperf over %s, ${COUNT} times`, async (_, mode, transport) => {
    const { host, port } = service[transport];
    const args = ['-m', mode, '-s', host, '-p', String(port), '-d', queries, '-c', '4', '-q', '20'];
    const { stdout } = await run('dnsperf', [...args, '-n', String(COUNT / 2), '-O', 'suppress=timeout']);
    expect(/Queries completed:\s+(\d+)/.exec(stdout)?.[1]).toBe(String(COUNT));
    expect(/Response codes:\s+(\w+) \d+ \((.*)\)/.exec(stdout)?.slice(1)).toEqual(['NOERROR', '100.00%']);
  });

  it.each([
    ['by GET', () => [url(PATH)]],
    [
      'by POST',
      () => ['-d', join(folder, 'message'), '-H', 'content-type: application/dns-message', url('/dns-query')],
    ],
  ])(`h2load %s, ${COUNT} times over connections of many streams`, async (_, target) => {
    const args = ['-n', String(COUNT), '-c', '8', '-m', '20', ...target()];
    expect((await run('h2load', args)).stdout).toContain(`status codes: ${COUNT} 2xx, 0 3xx, 0 4xx, 0 5xx`);
  });

  it('autocannon over HTTP/1.1, in pipelines', async () => {
    const options = { url: url(PATH), connections: 4, pipelining: 5, amount: COUNT };
    const { '2xx': good, non2xx, errors } = await autocannon(options);
    expect([non2xx, errors]).toEqual([0, 0]);
    // autocannon does not count pipelined requests in flight at its end.
    expect(good).toBeGreaterThanOrEqual(COUNT - 4 * 4);
  });

  it.each([true, false])('undici, HTTP/2 allowed: %s', async (allowH2) => {
    const client = new Client(url(''), { allowH2, connect: { rejectUnauthorized: false } });
    const headers = { 'content-type': 'application/dns-message' };
    const body = encodeQuery({ name: FILMS, id: 0 });
    const asked = Array.from({ length: 20 }, async (_, i) => {
      const response = await (i % 2 === 0
        ? client.request({ method: 'GET', path: PATH })
        : client.request({ method: 'POST', path: '/dns-query', headers, body }));
      return readReply(Buffer.from(await response.body.arrayBuffer())).data;
    });
    expect(await Promise.all(asked)).toEqual(Array(20).fill([RELAY.us.address]));
    await client.close();
  });
});

/** Runs a handshake with openssl's client. @returns protocol and suite; null if it failed */
async function handshake(port: number, options: readonly string[]): Promise<string | null> {
  const args = ['s_client', '-connect', `127.0.0.1:${port}`, '-servername', NAME, ...options];
  const child = spawn('openssl', args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let told = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (told += chunk));
  await new Promise((resolve) => child.once('close', resolve));
  if (/no cipher match|no protocols available|Error with command/.test(told)) throw new Error(told);
  const [, protocol, cipher] = /New, (\S+), Cipher is (\S+)/.exec(told) ?? [];
  return cipher === undefined || cipher === '(NONE)' ? null : `${protocol} ${cipher}`;
}

describe.each(['tls', 'https'] as const)('the protocols of dns.%s, as testssl lists them', (transport) => {
  /** Everything that this client can be made to offer. */
  const ANYTHING = 'ALL:COMPLEMENTOFALL:@SECLEVEL=0';
  const port = (): number => service[transport].port;

  it.each([
    ['TLS 1.0', '-tls1'],
    ['TLS 1.1', '-tls1_1'],
  ])('%s is refused', async (_, version) => {
    expect(await handshake(port(), [version, '-cipher', ANYTHING])).toBeNull();
  });

  it.each([
    ['TLS 1.2', '-tls1_2', /^TLSv1.2 ECDHE-ECDSA-/],
    ['TLS 1.3', '-tls1_3', /^TLSv1.3 TLS_/],
  ])('%s is accepted', async (_, version, suite) => {
    expect(await handshake(port(), [version])).toMatch(suite);
  });

  it.each([
    ['no encryption', 'eNULL:@SECLEVEL=0'],
    ['no authentication', 'aNULL:@SECLEVEL=0'],
    ['no forward secrecy', 'kRSA:@SECLEVEL=0'],
    ['CBC', 'SHA1:SHA256:SHA384:@SECLEVEL=0'],
    ['SHA-1', 'SHA1:@SECLEVEL=0'],
    ['Camellia and ARIA', 'CAMELLIA:ARIA:@SECLEVEL=0'],
    ['CCM with a short tag', 'AESCCM8:@SECLEVEL=0'],
    ['pre-shared keys', 'PSK:@SECLEVEL=0'],
  ])('suites of %s are refused', async (_, ciphers) => {
    expect(await handshake(port(), ['-tls1_2', '-cipher', ciphers])).toBeNull();
  });

  it.each([
    'ECDHE-ECDSA-AES128-GCM-SHA256',
    'ECDHE-ECDSA-AES256-GCM-SHA384',
    'ECDHE-ECDSA-CHACHA20-POLY1305',
  ])('%s is accepted', async (cipher) => {
    expect(await handshake(port(), ['-tls1_2', '-cipher', cipher])).toBe(`TLSv1.2 ${cipher}`);
  });
});
