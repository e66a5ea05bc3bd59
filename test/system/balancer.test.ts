/** Debian's HAProxy in front of the edge: its layer-7 checks keep the edge UP, and clients are answered through it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { makeCertificate } from '../support/certificate.ts';
import { encodeQuery, readReply } from '../support/dns-client.ts';
import { FILMS, RELAY, RunningService, temporaryFolder, until } from '../support/service.ts';
import { toolFolders } from '../support/tools.ts';

const BALANCER = '127.0.0.50';
const HOME = '127.0.0.1';
/** HAProxy's own address towards clients. */
const FRONT = '127.0.0.60';

const framed = (message: Uint8Array): Buffer =>
  Buffer.concat([Buffer.from([message.length >>> 8, message.length & 255]), message]);
const DOH = `/dns-query?dns=${encodeQuery({ name: FILMS, id: 0 }).toString('base64url')}`;
const QUERY = framed(encodeQuery({ name: FILMS, id: 7 }));

let service: RunningService;
let haproxy: ChildProcess;
let folder: string;
let ports: { tcp: number; tls: number; https: number };

async function freePort(): Promise<number> {
  const server = createServer().listen(0, FRONT);
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

/** Asks HAProxy for the state of its servers. A running check shows as `* `. @returns `NAME STATUS CHECK` of each; nothing before it is up */
async function states(): Promise<string[]> {
  let text = '';
  try {
    const socket = connect(join(folder, 'haproxy.sock'));
    socket.end('show stat\n');
    for await (const chunk of socket) text += String(chunk);
  } catch {
    // HAProxy has not opened its socket yet.
    return [];
  }
  const [header = '', ...rows] = text.replace(/^# /, '').trim().split('\n');
  const columns = header.split(',');
  const of = (row: string[], name: string) => row[columns.indexOf(name)];
  return rows
    .map((row) => row.split(','))
    .filter((row) => !['FRONTEND', 'BACKEND'].includes(of(row, 'svname')!))
    .map((row) => `${of(row, 'svname')} ${of(row, 'status')} ${of(row, 'check_status')!.replace('* ', '')}`);
}

beforeAll(async () => {
  folder = temporaryFolder();
  const { cert, key } = makeCertificate(['DNS:dns.example']);
  writeFileSync(join(folder, 'cert.pem'), cert);
  writeFileSync(join(folder, 'key.pem'), key);
  service = await RunningService.start({
    config: {
      dns: { tls: ['127.0.0.1:0'], https: ['127.0.0.1:0'], workers: 2, proxyProtocolFrom: [BALANCER] },
      tls: { certFile: join(folder, 'cert.pem'), keyFile: join(folder, 'key.pem') },
    },
  });
  await service.household([HOME]);
  ports = { tcp: await freePort(), tls: await freePort(), https: await freePort() };
  const expectReply = `tcp-check send-binary ${QUERY.toString('hex')}
  tcp-check expect rbinary ^....0007`;
  const config = `
global
  stats socket ${join(folder, 'haproxy.sock')}
defaults
  mode tcp
  timeout connect 5s
  timeout client 20s
  timeout server 20s
  timeout check 5s
listen dns
  bind ${FRONT}:${ports.tcp}
  source ${BALANCER}
  option tcp-check
  tcp-check connect send-proxy
  ${expectReply}
  server tcp-v1 127.0.0.1:${service.tcp.port} send-proxy check check-send-proxy inter 300 fall 1 rise 1
  server tcp-v2 127.0.0.1:${service.tcp.port} send-proxy-v2 proxy-v2-options crc32c,unique-id check check-send-proxy inter 300 fall 1 rise 1 backup
listen dot
  bind ${FRONT}:${ports.tls}
  source ${BALANCER}
  option tcp-check
  tcp-check connect send-proxy ssl alpn dot
  ${expectReply}
  server tls-v2 127.0.0.1:${service.tls.port} send-proxy-v2 proxy-v2-options crc32c,authority check check-send-proxy verify none inter 300 fall 1 rise 1
listen doh
  bind ${FRONT}:${ports.https}
  source ${BALANCER}
  option httpchk
  http-check connect send-proxy ssl alpn http/1.1
  http-check send meth GET uri ${DOH} ver HTTP/1.1 hdr Host dns.example
  http-check expect status 200
  server https-v2 127.0.0.1:${service.https.port} send-proxy-v2 proxy-v2-options crc32c check check-send-proxy verify none inter 300 fall 1 rise 1
`;
  writeFileSync(join(folder, 'haproxy.cfg'), config);
  haproxy = spawn('haproxy', ['-db', '-f', join(folder, 'haproxy.cfg')], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, PATH: toolFolders(process.env['PATH'] ?? '').join(':') },
  });
});
afterAll(async () => {
  if (haproxy?.exitCode === null) {
    const exited = once(haproxy, 'exit');
    haproxy.kill('SIGKILL');
    await exited;
  }
  await service?.stop();
});

it('keeps the edge UP by layer-7 checks over TCP and TLS, though the balancer is not registered', async () => {
  const allChecked = async () => {
    const found = await states();
    return found.length === 4 && found.every((state) => state.includes('L7'));
  };
  await until(allChecked, 'all checks have run');
  const seen = new Set<string>();
  for (let i = 0; i < 5; i++) {
    for (const state of await states()) seen.add(state);
    await new Promise((resolve) => setTimeout(resolve, 400));
  }
  expect([...seen].sort()).toEqual([
    'https-v2 UP L7OK',
    'tcp-v1 UP L7OK',
    'tcp-v2 UP L7OK',
    'tls-v2 UP L7OK',
  ]);
});

it.each(['tcp', 'tls'] as const)('answers a home through the balancer over %s', async (transport) => {
  const tcp = connect({ host: FRONT, port: ports[transport], localAddress: HOME });
  const socket =
    transport === 'tcp'
      ? tcp
      : connectTls({ socket: tcp, rejectUnauthorized: false, ALPNProtocols: ['dot'] });
  socket.write(QUERY);
  const [reply] = (await once(socket, 'data')) as [Buffer];
  expect(readReply(reply.subarray(2)).data).toEqual([RELAY.us.address]);
  tcp.destroy();
});

it('answers a home through the balancer over https', async () => {
  const tcp = connect({ host: FRONT, port: ports.https, localAddress: HOME });
  const socket = connectTls({ socket: tcp, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] });
  socket.write(`GET ${DOH} HTTP/1.1\r\nHost: dns.example\r\nConnection: close\r\n\r\n`);
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  const reply = Buffer.concat(chunks);
  expect(reply.toString('latin1')).toMatch(/^HTTP\/1\.1 200 /);
  expect(readReply(reply.subarray(reply.indexOf('\r\n\r\n') + 4)).data).toEqual([RELAY.us.address]);
});
