/** Starts, failing starts, signals, reloads and crashes of the real program. */
import { execFileSync } from 'node:child_process';
import dgram from 'node:dgram';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { makeCertificate } from '../support/certificate.ts';
import {
  askTcp,
  askUdp,
  encodeQuery,
  readReply,
  shown,
  TcpClient,
  UdpClient,
} from '../support/dns-client.ts';
import { answer, type Behaviour, byName, FakeUpstream } from '../support/fake-upstream.ts';
import {
  FILMS,
  RELAY,
  RunningService,
  runProgram,
  temporaryFolder,
  until,
  writeConfig,
  writeServiceFile,
} from '../support/service.ts';

const HOME = '127.0.3.1';
const STEERED = `NOERROR ${RELAY.us.address}`;

let upstream: FakeUpstream;
beforeAll(async () => {
  upstream = await FakeUpstream.start();
});
afterAll(() => upstream.stop());

const start = (config = {}) => RunningService.start({ config: { upstreams: [upstream.url], ...config } });

describe('a ready service', () => {
  it('names every listener and answers on each', async () => {
    const service = await start();
    await service.household([HOME, '::1']);
    const [ready] = service.lines.filter(({ msg }) => msg === 'ready');
    const on = (pattern: string) => [expect.stringMatching(pattern)];
    expect(ready).toMatchObject({
      level: 'info',
      roles: ['control', 'edge'],
      udp: [...on('^127\\.0\\.0\\.1:\\d+$'), ...on('^\\[::1\\]:\\d+$')],
      tcp: [...on('^127\\.0\\.0\\.1:\\d+$'), ...on('^\\[::1\\]:\\d+$')],
      control: [...on('^http://127\\.0\\.0\\.1:\\d+$'), ...on('^http://\\[::1\\]:\\d+$')],
      metrics: on('^http://127\\.0\\.0\\.1:\\d+$'),
      engine: 'mmsg',
    });
    expect(shown(await askUdp(service.udp, HOME, { name: FILMS }))).toBe(STEERED);
    expect(shown(await askUdp(service.udp6, '::1', { name: FILMS }))).toBe(STEERED);
    expect(shown(await askTcp(service.tcp, HOME, { name: FILMS }))).toBe(STEERED);
    expect(shown(await askTcp(service.tcp6, '::1', { name: FILMS }))).toBe(STEERED);
    for (const url of [service.controlUrl, service.controlUrl6])
      expect((await fetch(`${url}/v1/ip`)).status).toBe(200);
    expect((await fetch(`${service.metricsUrl}/readyz`)).status).toBe(200);
    await service.stop();
  });

  it.each([[['control']], [['edge']]])('runs the roles %j only', async (roles) => {
    const service = await start({ roles });
    const [ready] = service.lines.filter(({ msg }) => msg === 'ready');
    const has = (role: string) => (roles.includes(role) ? 2 : 0);
    expect([ready['udp'], ready['tcp'], ready['control']].map((list) => (list as []).length)).toEqual([
      has('edge'),
      has('edge'),
      has('control'),
    ]);
    expect((await fetch(`${service.metricsUrl}/readyz`)).status).toBe(200);
    expect(await service.stop()).toEqual({ code: 0, signal: null });
  });

  it('writes nothing but JSON lines, and nothing on standard error', async () => {
    const service = await start();
    await service.stop();
    const lines = service.stdout.split('\n').slice(0, -1);
    for (const line of lines)
      expect(JSON.parse(line)).toMatchObject({ level: expect.any(String), time: expect.any(String) });
    expect(service.lines.map(({ msg }) => msg)).toEqual(['first start', 'ready', 'stopping', 'stopped']);
    expect(service.stderr).toBe('');
  });
});

describe.each(['mmsg', 'dgram'])('stopping a service with %s', (engine) => {
  it.each(['SIGTERM', 'SIGINT'] as const)('by %s answers queries in flight, then exits 0', async (signal) => {
    // The upstream holds its answers back, so the queries are certainly in flight.
    const held: (() => void)[] = [];
    const late: Behaviour = (query, replier) => void held.push(() => answer()(query, replier));
    upstream.udp = byName({ 'late-udp.example': late, 'late-tcp.example': late });
    onTestFinished(() => {
      upstream.udp = answer();
    });
    const service = await start({ dns: { engine } });
    await service.household([HOME]);
    const udp = await UdpClient.open(HOME);
    const replied = once(udp.socket, 'message');
    udp.send(service.udp, encodeQuery({ name: 'late-udp.example' }));
    const tcp = await TcpClient.open(service.tcp, HOME);
    const idle = await TcpClient.open(service.tcp, HOME);
    tcp.send(encodeQuery({ name: 'late-tcp.example', id: 7 }));
    await until(() => held.length >= 2, 'both queries are upstream');

    service.kill(signal);
    expect(await service.logged('stopping')).toMatchObject({ signal });
    // New connections are rejected, and idle ones are closed.
    await until(() => idle.isClosed, 'the idle connection is closed');
    await until(async () => (await connects(service.tcp)) === false, 'no connection is accepted');
    for (const release of held.splice(0)) release();

    const [bytes] = (await replied) as [Buffer];
    expect(shown(readReply(bytes))).toBe('NOERROR 192.0.2.1');
    const overTcp = await tcp.next(7);
    expect(overTcp && shown(readReply(overTcp))).toBe('NOERROR 192.0.2.1');
    expect(await service.exited).toEqual({ code: 0, signal: null });
    expect(service.stderr).toBe('');
    udp.close();
  });

  it('waits at most 10 s for an answer that never comes', async () => {
    const never = await FakeUpstream.start({ udp: () => {}, tcp: () => {} });
    const service = await start({ dns: { engine }, upstreams: [never.url] });
    await service.household([HOME]);
    const udp = await UdpClient.open(HOME);
    udp.send(service.udp, encodeQuery({ name: 'never.example' }));
    await until(() => never.queries.length > 0, 'the query is upstream');
    const stoppedAt = performance.now();
    expect(await service.stop()).toEqual({ code: 0, signal: null });
    expect(performance.now() - stoppedAt).toBeLessThan(10_000 + SLOW_MACHINE_MS);
    udp.close();
    await never.stop();
  });
});

it('cuts off an endless API call after 10 s and exits 0', async () => {
  const service = await start();
  const { hostname, port } = new URL(service.controlUrl);
  const socket = net.connect({ host: hostname, port: Number(port) });
  const head = ['POST /v1/accounts HTTP/1.1', 'Host: 127.0.0.1', `Authorization: Bearer ${service.adminKey}`];
  socket.on('error', () => {});
  socket.write([...head, 'Content-Type: application/json', 'Content-Length: 99', '', '{'].join('\r\n'));
  // A reply on another connection shows that the first call has been read.
  expect((await service.admin.call('GET', '/v1/accounts')).status).toBe(200);
  const stoppedAt = performance.now();
  expect(await service.stop()).toEqual({ code: 0, signal: null });
  expect(performance.now() - stoppedAt).toBeLessThan(10_000 + SLOW_MACHINE_MS);
  socket.destroy();
});

/** Allowance for a busy machine. */
const SLOW_MACHINE_MS = 10_000;

async function connects({ host, port }: { host: string; port: number }): Promise<boolean> {
  const socket = net.connect({ host, port });
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

describe.each(['mmsg', 'dgram'])('SIGHUP to a service with %s', (engine) => {
  const NEW = 'new-in-the-catalog.com';
  const both = async (service: RunningService, name: string) => [
    shown(await askUdp(service.udp, HOME, { name })),
    shown(await askTcp(service.tcp, HOME, { name })),
  ];
  const twice = (text: string) => [text, text];

  it('applies a changed catalog from the next query on, and keeps the old one after an error', async () => {
    const service = await start({ dns: { engine } });
    await service.household([HOME]);
    expect(await both(service, NEW)).toEqual(twice('NOERROR 192.0.2.1'));

    writeServiceFile(service.folder, { service: 'new', title: 'New', regions: ['us'], names: [NEW] });
    service.kill('SIGHUP');
    expect(await service.logged('configuration and catalog read again')).toMatchObject({ services: 3 });
    expect(await both(service, NEW)).toEqual(twice(STEERED));

    const file = join(service.folder, 'services/new.yaml');
    writeFileSync(file, 'service: new\ntitle: New\nregions: [us]\nnames: [com]\n');
    service.kill('SIGHUP');
    const line = await service.logged('not reloaded: the old configuration and catalog stay');
    expect(line).toMatchObject({ level: 'error', code: 'invalid_catalog' });
    expect(line['errors']).toEqual([expect.stringMatching(/services\/new\.yaml:4: names\[0\]: /)]);
    expect(await both(service, NEW)).toEqual(twice(STEERED));
    expect(await both(service, FILMS)).toEqual(twice(STEERED));

    rmSync(file);
    service.kill('SIGHUP');
    await service.logged('configuration and catalog read again', 2);
    expect(await both(service, NEW)).toEqual(twice('NOERROR 192.0.2.1'));
    expect(await service.stop()).toEqual({ code: 0, signal: null });
  });

  it('applies changed relays, names keys that need a restart, and keeps everything after an error', async () => {
    const service = await start({ dns: { engine } });
    await service.household([HOME]);
    const file = join(service.folder, 'config.yaml');
    const before = JSON.parse(readFileSync(file, 'utf8'));
    const changed = { ...before, cache: { ...before.cache, minTtlSeconds: 5 } };
    changed.regions = { ...before.regions, us: { relays: [{ address: '192.0.2.77' }] } };
    writeFileSync(file, JSON.stringify(changed));
    service.kill('SIGHUP');
    await service.logged('configuration and catalog read again');
    expect(await service.logged('changed, and taken at the next start only')).toMatchObject({
      keys: ['cache.minTtlSeconds'],
    });
    expect(await both(service, FILMS)).toEqual(twice('NOERROR 192.0.2.77'));

    writeFileSync(file, JSON.stringify({ ...changed, regions: {} }));
    service.kill('SIGHUP');
    const line = await service.logged('not reloaded: the old configuration and catalog stay');
    expect(JSON.stringify(line['errors'])).toContain('regions');
    expect(await both(service, FILMS)).toEqual(twice('NOERROR 192.0.2.77'));
    await service.stop();
  });
});

/** Reads all files of a folder except the lock, which every start opens. */
function contents(folder: string): Record<string, string> {
  const files = readdirSync(folder).filter((name) => name !== 'registry.lock');
  return Object.fromEntries(files.map((name) => [name, readFileSync(join(folder, name)).toString('base64')]));
}

/** Expects a start to fail with one line and exit code 1. @returns the line */
async function refusedStart(folder: string, wrapper: readonly string[] = []): Promise<string> {
  const args = ['serve', '--config', join(folder, 'config.yaml')];
  const { code, stdout, stderr } = await runProgram(args, { wrapper });
  expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(/^mediastreamer serve: .+\n$/) });
  expect(stderr.split('\n')).toHaveLength(2);
  expect(stderr).not.toMatch(/ at .*\.ts|Error:/);
  expect(stdout).not.toContain('"ready"');
  return stderr.slice('mediastreamer serve: '.length, -1);
}

describe('a failing start', () => {
  let tcpServer: net.Server;
  let udpSocket: dgram.Socket;
  let tcpPort: number;
  let udpPort: number;
  beforeAll(async () => {
    tcpServer = net.createServer().listen(0, '127.0.0.1');
    udpSocket = dgram.createSocket('udp4').bind(0, '127.0.0.1');
    await Promise.all([once(tcpServer, 'listening'), once(udpSocket, 'listening')]);
    tcpPort = (tcpServer.address() as net.AddressInfo).port;
    udpPort = udpSocket.address().port;
  });
  afterAll(() => {
    tcpServer.close();
    udpSocket.close();
  });

  it.each([
    ['dns.udp with mmsg', () => ({ dns: { engine: 'mmsg', udp: [`127.0.0.1:${udpPort}`] } }), () => udpPort],
    [
      'dns.udp with dgram',
      () => ({ dns: { engine: 'dgram', udp: [`127.0.0.1:${udpPort}`] } }),
      () => udpPort,
    ],
    ['dns.tcp', () => ({ dns: { tcp: [`127.0.0.1:${tcpPort}`] } }), () => tcpPort],
    ['control.listen', () => ({ control: { listen: [`127.0.0.1:${tcpPort}`] } }), () => tcpPort],
    ['metrics', () => ({ metrics: { listen: [`127.0.0.1:${tcpPort}`] } }), () => tcpPort],
  ])('names the port that is in use: %s', async (what, config, port) => {
    const folder = temporaryFolder();
    writeConfig(folder, config());
    const line = await refusedStart(folder);
    expect(line).toContain(what.split(' with ')[0]);
    expect(line).toContain(String(port()));
    expect(line).toMatch(/in use/);
  });

  it('does not prevent the next start', async () => {
    const folder = temporaryFolder();
    writeConfig(folder, { metrics: { listen: [`127.0.0.1:${tcpPort}`] } });
    await refusedStart(folder);
    writeConfig(folder);
    await (await RunningService.start({ folder })).stop();
  });

  it('names an address that no interface has', async () => {
    const folder = temporaryFolder();
    writeConfig(folder, { dns: { udp: ['192.0.2.99:0'] } });
    expect(await refusedStart(folder)).toContain('192.0.2.99');
  });

  it('names a data directory below a file', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'file'), 'kept');
    writeConfig(folder, { dataDir: join(folder, 'file/var') });
    expect(await refusedStart(folder)).toContain(join(folder, 'file/var'));
    expect(readFileSync(join(folder, 'file'), 'utf8')).toBe('kept');
  });

  it('names a data directory that is not writable', async () => {
    // Without this capability modes apply to root too.
    const wrapper = process.getuid?.() === 0 ? ['setpriv', '--bounding-set=-dac_override'] : [];
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'var'));
    chmodSync(join(folder, 'var'), 0o500);
    writeConfig(folder);
    expect(await refusedStart(folder, wrapper)).toContain(join(folder, 'var'));
  });

  it.each([
    ['overwritten pages', (bytes: Buffer) => bytes.fill(0x5a, 4096, 8192)],
    ['its end cut off', (bytes: Buffer) => bytes.subarray(0, bytes.length - 4096)],
    ['no content', () => Buffer.alloc(0)],
  ])('does not change a store with %s', async (_what, damage) => {
    const service = await start();
    await service.household([HOME]);
    await service.stop();
    const file = join(service.dataDir, 'registry.db');
    writeFileSync(file, damage(readFileSync(file)));
    const before = contents(service.dataDir);
    expect(await refusedStart(service.folder)).toContain(file);
    expect(contents(service.dataDir)).toMatchObject(before);
  });

  it('rejects a data directory that another process uses', async () => {
    const service = await start();
    const { secret } = await service.household([HOME]);
    expect(await refusedStart(service.folder)).toBe(`${service.dataDir}: another process is using it`);
    expect(shown(await askUdp(service.udp, HOME, { name: FILMS }))).toBe(STEERED);
    expect((await service.as(secret, '127.0.3.2').call('POST', '/v1/registrations', {})).status).toBe(201);
    await service.stop();
  });

  it('does not change an admin key file without a valid key', async () => {
    const folder = temporaryFolder();
    const { dataDir } = JSON.parse(readFileSync(writeConfig(folder), 'utf8'));
    mkdirSync(dataDir, { mode: 0o700 });
    writeFileSync(join(dataDir, 'admin.key'), 'short\n');
    expect(await refusedStart(folder)).toContain(join(dataDir, 'admin.key'));
    expect(readFileSync(join(dataDir, 'admin.key'), 'utf8')).toBe('short\n');
  });
});

describe('a file that others may write, or another user owns,', () => {
  const isRoot = process.getuid?.() === 0;
  const NOBODY = 65_534;
  const give = (path: string): void => (isRoot ? chownSync(path, NOBODY, NOBODY) : chmodSync(path, 0o666));

  it.each<[string, (service: RunningService) => string]>([
    [
      'a dataDir of mode 0777',
      ({ dataDir }) => {
        chmodSync(dataDir, 0o777);
        return dataDir;
      },
    ],
    [
      'a foreign dataDir',
      ({ dataDir }) => {
        give(dataDir);
        return dataDir;
      },
    ],
    [
      'an admin.key of mode 0666',
      ({ dataDir }) => {
        chmodSync(join(dataDir, 'admin.key'), 0o666);
        return join(dataDir, 'admin.key');
      },
    ],
    [
      'a foreign admin.key',
      ({ dataDir }) => {
        give(join(dataDir, 'admin.key'));
        return join(dataDir, 'admin.key');
      },
    ],
    [
      'a foreign registry.db',
      ({ dataDir }) => {
        give(join(dataDir, 'registry.db'));
        return join(dataDir, 'registry.db');
      },
    ],
  ])('prevents the start: %s', async (_, spoil) => {
    const service = await start();
    await service.stop();
    const path = spoil(service);
    const line = await refusedStart(service.folder);
    expect(line).toContain(path);
    expect(line).toMatch(/(owns it|lets others write it): (expected user|run chmod)/);
  });

  it('prevents the start: a TLS key of mode 0666; one that others may read is fine', async () => {
    const folder = temporaryFolder();
    const { cert, key } = makeCertificate(['DNS:dns.example']);
    writeFileSync(join(folder, 'cert.pem'), cert);
    writeFileSync(join(folder, 'key.pem'), key, { mode: 0o644 });
    const tls = { certFile: join(folder, 'cert.pem'), keyFile: join(folder, 'key.pem') };
    writeConfig(folder, { tls, dns: { tls: ['127.0.0.1:0'] } });
    const service = await RunningService.start({ folder });
    await service.stop();
    chmodSync(tls.keyFile, 0o666);
    expect(await refusedStart(folder)).toContain(tls.keyFile);
  });
});

it.runIf(process.getuid?.() === 0)(
  'runs without /sys, and says that the shield is not available',
  async () => {
    const wrapper = ['unshare', '-m', 'sh', '-c', 'mount -t tmpfs none /sys; exec "$@"', 'sh'];
    const service = await RunningService.start({ config: { upstreams: [upstream.url] }, wrapper });
    expect(await service.logged('shield not available')).toMatchObject({ level: 'info', code: 'ENOENT' });
    await service.household([HOME]);
    expect(shown(await askUdp(service.udp, HOME, { name: FILMS }))).toBe(STEERED);
    await service.stop();
  },
);

it('opens no debugger on SIGUSR1, however it was started', async () => {
  const service = await start();
  service.kill('SIGUSR1');
  service.kill('SIGHUP');
  await service.logged('configuration and catalog read again');
  await service.stop();
  expect(service.output).not.toContain('Debugger listening');
});

describe('a killed process', () => {
  it.each(['mmsg', 'dgram'])('loses no acknowledged change: %s', async (engine) => {
    let service = await start({ dns: { engine } });
    const { secret } = await service.household([HOME]);
    for (let round = 1; round <= 2; round++) {
      const address = `127.0.3.${100 + round}`;
      expect((await service.as(secret, address).call('POST', '/v1/registrations', {})).status).toBe(201);
      // Kill it while further calls are in flight.
      const more = Promise.allSettled(
        Array.from({ length: 5 }, (_, index) =>
          service.as(secret, `127.0.4.${round * 10 + index}`).call('POST', '/v1/registrations', {}),
        ),
      );
      expect(await service.stop('SIGKILL')).toEqual({ code: null, signal: 'SIGKILL' });
      const replies = await more;
      const made = replies.flatMap((reply, index) =>
        reply.status === 'fulfilled' && reply.value.status === 201 ? [`127.0.4.${round * 10 + index}`] : [],
      );
      service = await RunningService.start({ folder: service.folder });
      for (const one of [HOME, address, ...made])
        expect(shown(await askUdp(service.udp, one, { name: FILMS }))).toBe(STEERED);
    }
    await service.stop();
  });
});

describe('the files of a process', () => {
  it('are readable by its owner only, and no core dump is written', async () => {
    const service = await start();
    await service.household([HOME]);
    const modes = execFileSync('find', [service.dataDir, '-printf', '%m %y %f\n'], { encoding: 'utf8' });
    for (const line of modes.trim().split('\n'))
      expect(line).toMatch(/^(700 d var|600 f [a-z.-]+|600 s operator\.sock)$/);
    await service.stop('SIGKILL');
    expect(existsSync(join(service.folder, 'core'))).toBe(false);
  });
});
