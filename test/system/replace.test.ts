/** A process takes over from the running one: nothing is lost, and one that fails changes nothing. */
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import tls from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openOperatorLink } from '../../src/cli/serve/operator/socket.ts';
import { PROTOCOL } from '../../src/cli/serve/replace/protocol.ts';
import { Takeover } from '../../src/cli/serve/replace/takeover.ts';
import { closeSocket, describeSocket, libc } from '../../src/sys/index.ts';
import { makeCertificate } from '../support/certificate.ts';
import { askTcp, askUdp, shown } from '../support/dns-client.ts';
import { answer, FakeUpstream } from '../support/fake-upstream.ts';
import { FILMS, RELAY, RunningService, runProgram, until } from '../support/service.ts';

const HOME = '127.0.67.1';
const VIEWER = '127.0.67.2';
const STEERED = `NOERROR ${RELAY.us.address}`;

const replace = (old: RunningService, ...args: string[]) =>
  RunningService.start({ folder: old.folder, args: ['--replace', ...args] });

async function isServed(service: RunningService): Promise<boolean> {
  const answers = [
    await askUdp(service.udp, HOME, { name: FILMS }),
    await askTcp(service.tcp, HOME, { name: FILMS }),
  ];
  return answers.every((reply) => shown(reply) === STEERED);
}

describe('a process that is taken over from', () => {
  let service: RunningService;
  beforeAll(async () => {
    service = await RunningService.start();
    await service.household([HOME]);
  });
  afterAll(async () => {
    expect(await service.stop()).toEqual({ code: 0, signal: null });
    expect(service.stderr).toBe('');
  });

  const notReplaced = (nth: number) =>
    service.logged('not replaced: the other process ended before it was ready; this one serves on', nth);
  const begin = async () => (await Takeover.begin(service.dataDir, '0.0.0'))!;
  const endOf = (takeover: Takeover): void => {
    for (const { fd } of takeover.sockets) closeSocket(fd);
    takeover.close();
  };

  it('serves on if the new configuration is wrong, which the new process says', async () => {
    const file = join(service.folder, 'wrong.yaml');
    writeFileSync(file, 'roles: [edge]\ndns: { udp: nowhere }\n');
    const failed = await runProgram(['serve', '--replace', '--config', file]);
    expect(failed).toMatchObject({ code: 1, stderr: expect.stringMatching('dns.udp: found "nowhere"') });
    expect(await isServed(service)).toBe(true);
  });

  it('hands over sockets and allowlist, and serves on if the new process ends without being ready', async () => {
    const takeover = await begin();
    const names = takeover.sockets.map(({ name }) => name);
    for (const name of ['dns-udp', 'dns-tcp', 'control', 'metrics']) expect(names).toContain(name);
    for (const { fd, port } of takeover.sockets) expect(describeSocket(fd)).toMatchObject({ port });
    expect(await takeover.snapshot()).toMatchObject(takeover.reply.position!);
    endOf(takeover);
    await notReplaced(1);
    expect(await isServed(service)).toBe(true);
    await service.household([VIEWER]);
  });

  it('holds API calls back while the store is away, and answers them when it has it again', async () => {
    const takeover = await begin();
    await takeover.release();
    const call = service.household(['127.0.67.3']);
    expect(await isServed(service)).toBe(true);
    endOf(takeover);
    await call;
    await notReplaced(2);
    expect(shown(await askUdp(service.udp, '127.0.67.3', { name: FILMS }))).toBe(STEERED);
  });

  it('tells a second one that a first is taking over, and one of another protocol that it cannot', async () => {
    const takeover = await begin();
    const second = await runProgram(['serve', '--replace', '--config', join(service.folder, 'config.yaml')]);
    expect(second).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(`another process \\(pid ${process.pid}\\) is taking over already`),
    });
    endOf(takeover);
    await notReplaced(3);
    const other = { command: 'replace', protocol: PROTOCOL + 1, version: '9.9.9' } as const;
    const { reply, socket } = (await openOperatorLink(service.dataDir, other))!;
    socket.destroy();
    expect(reply['refusal']).toMatch(
      /by version 1 of the protocol, and this one \(9.9.9\) by version 2: restart/,
    );
    expect(await isServed(service)).toBe(true);
  });
});

it('leaves relay streams to the old process, where they end with their registration', async () => {
  const upstream = await FakeUpstream.start();
  upstream.udp = answer({ answers: [{ type: 'A', name: FILMS, ttl: 60, data: '127.0.0.1' }] });
  const origin = tls.createServer(makeCertificate([`DNS:${FILMS}`]), (socket) => {
    socket.on('error', () => {});
    socket.on('data', (bytes) => socket.write(bytes));
  });
  origin.listen(0, '127.0.0.1');
  await once(origin, 'listening');
  const { port: originPort } = origin.address() as { port: number };
  const relay = { tls: ['127.0.0.1:0'], allowPrivateOrigins: true, originPort };
  const config = { roles: ['control', 'edge', 'relay'], relay, upstreams: [upstream.url] };
  const old = await RunningService.start({ config });
  const { secret, registrations } = await old.household([HOME]);
  const ready = (await old.logged('ready')) as unknown as { relay: { tls: [string] } };
  const port = Number(ready.relay.tls[0].split(':')[1]);
  const open = async () => {
    const socket = tls.connect({
      host: '127.0.0.1',
      port,
      localAddress: HOME,
      servername: FILMS,
      rejectUnauthorized: false,
    } as tls.ConnectionOptions);
    socket.on('error', () => {});
    await once(socket, 'secureConnect');
    return socket;
  };
  const echo = async (socket: tls.TLSSocket, text: string) => {
    socket.write(text);
    return String((await once(socket, 'data'))[0]);
  };

  const stream = await open();
  expect(await echo(stream, 'before')).toBe('before');
  const service = await replace(old);
  await old.logged('another process serves: this one finishes what it has');
  expect(await echo(stream, 'after')).toBe('after');
  const younger = await open();
  expect(await echo(younger, 'new')).toBe('new');
  expect(old.child.exitCode).toBeNull();

  // The new process's API ends the registration, and both streams.
  const ended = Promise.all(
    [stream, younger].map((socket) => new Promise((resolve) => socket.on('close', resolve))),
  );
  await service.as(secret, HOME).call('DELETE', `/v1/registrations/${registrations[HOME]}`);
  await ended;
  expect(await old.exited).toEqual({ code: 0, signal: null });
  expect(old.stderr + service.stderr).toBe('');
  await service.stop();
  origin.close();
  await upstream.stop();
});

it('with --background returns when the new process serves, and tells systemd which one that is', async () => {
  const old = await RunningService.start({ args: ['--replace'] });
  await old.logged('no process with this dataDir runs: starting');
  await old.household([HOME]);
  const path = join(old.folder, 'notify');
  const library = libc()!;
  const name = new Uint8Array(3 + path.length);
  name[0] = 1;
  name.set(Buffer.from(path), 2);
  const SOCK_DGRAM_NONBLOCK = 2 | 0o4000;
  const fd = library.socket(1, SOCK_DGRAM_NONBLOCK, 0);
  expect(library.bind(fd, name, name.length)).toBe(0);
  const command = ['serve', '--replace', '--background', '--config', join(old.folder, 'config.yaml')];
  const failed = await runProgram([...command.slice(0, -1), '/nowhere.yaml']);
  expect(failed).toMatchObject({ code: 1, stderr: expect.stringMatching('/nowhere.yaml') });

  // Its output stays open to the process that runs on.
  const { Program, NODE, MAIN } = await import('../support/service.ts');
  const started = new Program(NODE, [MAIN, ...command], { env: { NOTIFY_SOCKET: path } });
  const [code] = (await once(started.child, 'exit')) as [number];
  expect(code).toBe(0);
  expect(await old.exited).toEqual({ code: 0, signal: null });
  const bytes = new Uint8Array(1024);
  const told = `${Buffer.from(bytes.subarray(0, library.read(fd, bytes, bytes.length)))}`;
  const pid = Number(/^MAINPID=(\d+)\nREADY=1$/.exec(told)![1]);
  expect(pid).not.toBe(started.child.pid);
  expect(library.read(fd, bytes, bytes.length)).toBe(-1);
  closeSocket(fd);
  expect(await isServed(old)).toBe(true);
  process.kill(pid, 'SIGTERM');
  expect(await started.exited).toMatchObject({ code: 0 });
  await until(() => started.lines.some(({ msg }) => msg === 'stopped'), 'it has stopped');
});
