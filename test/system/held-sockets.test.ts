/** A supervisor that holds the sockets: the program uses them. Restarts under load: replace-drill.test.ts. */
import net from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { closeSocket, libc } from '../../src/sys/index.ts';
import { askTcp, askUdp, shown } from '../support/dns-client.ts';
import { HeldSockets, LAUNCHER } from '../support/held-sockets.ts';
import {
  type Endpoint,
  FILMS,
  RELAY,
  RunningService,
  runProgram,
  temporaryFolder,
  until,
  writeConfig,
} from '../support/service.ts';

const HOME = '127.0.66.1';
const STEERED = `NOERROR ${RELAY.us.address}`;

const held = new HeldSockets();
const folder = temporaryFolder();
let service: RunningService;
let udp: Endpoint;
let tcp: Endpoint;
let control: Endpoint;
let metrics: Endpoint;

beforeAll(async () => {
  // More sockets than threads, and fewer.
  udp = held.udp('dns-udp', 3);
  tcp = held.tcp('dns-tcp', 1);
  control = held.tcp('control', 1);
  metrics = held.tcp('metrics', 2);
  service = await held.start(folder, { config: { dns: { workers: 2 } } });
  await service.household([HOME]);
});

afterAll(async () => {
  await service.stop();
  held.close();
});

it('serves on inherited sockets of every kind instead of the configured addresses', async () => {
  expect(service.udp).toEqual(udp);
  expect(service.tcp).toEqual(tcp);
  expect(service.controlUrl).toBe(`http://127.0.0.1:${control.port}`);
  // New ports are spread over all sockets, and a new connection may come to either thread.
  for (let i = 0; i < 12; i++) {
    expect(shown(await askUdp(udp, HOME, { name: FILMS }))).toBe(STEERED);
    expect(shown(await askTcp(tcp, HOME, { name: FILMS }))).toBe(STEERED);
    expect((await fetch(`http://127.0.0.1:${metrics.port}/readyz`)).status).toBe(200);
  }
});

it('relays on inherited sockets', async () => {
  const sockets = new HeldSockets();
  const tls = sockets.tcp('relay-tls', 3);
  const http = sockets.tcp('relay-http', 2);
  const quic = sockets.udp('relay-quic', 2);
  const relay = await sockets.start(temporaryFolder(), {
    config: {
      roles: ['relay', 'control'],
      relay: { tls: ['127.0.0.1:0'], http: ['127.0.0.1:0'], quic: ['127.0.0.1:0'], workers: 2 },
    },
  });
  const [ready] = relay.lines.filter(({ msg }) => msg === 'ready');
  expect(ready).toMatchObject({
    relay: {
      tls: [`127.0.0.1:${tls.port}`],
      http: [`127.0.0.1:${http.port}`],
      quic: [`127.0.0.1:${quic.port}`],
    },
  });
  // A stranger's connection is accepted and closed, by whichever socket it came.
  for (let i = 0; i < 12; i++) {
    for (const { host, port } of [tls, http]) {
      const socket = net.connect({ host, port, localAddress: HOME });
      socket.on('error', () => {});
      const closed = new Promise((resolve) => socket.on('close', resolve));
      socket.resume().write('GET / HTTP/1.1\r\nHost: www.example\r\n\r\n');
      await closed;
    }
  }
  await relay.stop();
  sockets.close();
});

it('refuses to start with a socket that it has no name or no use for', async () => {
  const file = writeConfig(temporaryFolder());
  const env = { LISTEN_FDS: '1', LISTEN_FDNAMES: 'dns' };
  const options = { env, wrapper: LAUNCHER, fds: [held.fds[0]!] };
  const unknown = await runProgram(['serve', '--config', file], options);
  expect(unknown).toMatchObject({
    code: 1,
    stderr: expect.stringMatching('found "dns", expected one of dns-udp'),
  });
  const swapped = { ...options, env: { ...env, LISTEN_FDNAMES: 'dns-tcp' } };
  expect(await runProgram(['serve', '--config', file], swapped)).toMatchObject({
    code: 1,
    stderr: expect.stringMatching('found a socket for UDP, expected a TCP socket'),
  });
});

it('tells systemd when it is ready, reloads and stops', async () => {
  const path = join(temporaryFolder(), 'notify');
  const library = libc()!;
  const name = new Uint8Array(3 + path.length);
  name[0] = 1;
  name.set(Buffer.from(path), 2);
  const AF_UNIX = 1;
  const SOCK_DGRAM_NONBLOCK = 2 | 0o4000;
  const fd = library.socket(AF_UNIX, SOCK_DGRAM_NONBLOCK, 0);
  expect(library.bind(fd, name, name.length)).toBe(0);
  let told = '';
  const hears = (text: string) =>
    until(() => {
      const bytes = new Uint8Array(1024);
      const length = library.read(fd, bytes, bytes.length);
      if (length > 0) told += `${Buffer.from(bytes.subarray(0, length))}\n`;
      return told.includes(text);
    }, `the supervisor hears ${text}`);

  const supervised = await RunningService.start({ env: { NOTIFY_SOCKET: path } });
  await hears('READY=1');
  told = '';
  supervised.kill('SIGHUP');
  await hears('RELOADING=1\nMONOTONIC_USEC=');
  await hears('READY=1');
  expect(await supervised.stop()).toEqual({ code: 0, signal: null });
  await hears('STOPPING=1');
  closeSocket(fd);
});
