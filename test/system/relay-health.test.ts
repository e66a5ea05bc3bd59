/**
 * Two relays and two edges that probe them, as processes of their own: what the answers hold while relays die, come
 * back and are drained.
 */
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { connect, createServer, type Server, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeCertificate } from '../support/certificate.ts';
import { askUdp, shown } from '../support/dns-client.ts';
import { answer, FakeUpstream } from '../support/fake-upstream.ts';
import {
  type ConfigFields,
  FILMS,
  RunningService,
  runProgram,
  temporaryFolder,
  until,
  writeServiceFile,
} from '../support/service.ts';

const HOME = '127.0.7.99';
const [ONE, TWO] = ['127.0.7.1', '127.0.7.2'] as const;
const DIRECT = '203.0.113.80';
const REFUSING = 'refuses.example';

let upstream: FakeUpstream;
let origin: Server;
let env: Record<string, string>;
let port: number;
let relays: Map<string, RunningService>;
/** Edges by health.allDown. */
let edges: Record<'last-good' | 'plain', RunningService>;

beforeAll(async () => {
  const folder = temporaryFolder();
  const certificate = makeCertificate([`DNS:${FILMS}`, `DNS:*.${FILMS}`, 'DNS:nobody.example']);
  env = { NODE_EXTRA_CA_CERTS: join(folder, 'ca.pem') };
  writeFileSync(env['NODE_EXTRA_CA_CERTS']!, certificate.cert);
  origin = createServer(certificate, (socket) => socket.on('error', () => {}));
  origin.on('tlsClientError', () => {});
  origin.listen(0, '127.0.0.1');
  await once(origin, 'listening');
  upstream = await FakeUpstream.start();
  upstream.udp = (query, replier) => {
    // Relays and edges share this upstream; the name tells their queries apart.
    const name = query.name.toLowerCase();
    const data = name === `plain.${FILMS}` ? DIRECT : '127.0.0.1';
    const has = query.type === 'A' && !name.startsWith('nowhere.');
    answer({ answers: has ? [{ type: 'A', name: query.name, ttl: 60, data }] : [] })(query, replier);
  };
  const first = await startRelay(ONE, 0);
  port = Number(
    /:(\d+)$/.exec(
      String(((await first.logged('ready')) as unknown as { relay: { tls: string[] } }).relay.tls[0]),
    )![1],
  );
  relays = new Map([
    [ONE, first],
    [TWO, await startRelay(TWO, port)],
  ]);
  edges = { 'last-good': await startEdge('last-good'), plain: await startEdge('plain') };
});
afterAll(async () => {
  origin.close();
  await upstream.stop();
});

async function startRelay(address: string, atPort: number, folder?: string): Promise<RunningService> {
  const started = await RunningService.start({
    ...(folder !== undefined && { folder }),
    config: {
      roles: ['relay'],
      upstreams: [upstream.url],
      catalog: { services: ['services/*.yaml'], answerTtlSeconds: 1 },
      health: { intervalSeconds: 1 },
      relay: {
        tls: [`${address}:${atPort}`],
        region: 'us',
        allowPrivateOrigins: true,
        drainSeconds: 1,
        originPort: (origin.address() as AddressInfo).port,
        probeSources: ['127.0.0.1'],
      },
    },
  });
  return started;
}

async function startEdge(allDown: string): Promise<RunningService> {
  const config: ConfigFields = {
    upstreams: [upstream.url],
    regions: { us: { relays: [{ address: ONE }, { address: TWO }] } },
    health: {
      names: [`nowhere.${FILMS}`, `www.${FILMS}`],
      port,
      intervalSeconds: 1,
      timeoutSeconds: 20,
      fall: 2,
      rise: 1,
      allDown,
    },
  };
  const edge = await RunningService.start({ config, env });
  await edge.household([HOME]);
  return edge;
}

const given = async (edge: RunningService, name = `plain.${FILMS}`) =>
  shown(await askUdp(edge.udp, HOME, { name }))
    .split(' ')
    .slice(1)
    .sort()
    .join(' ');

const gives = (edge: RunningService, expected: string) =>
  until(async () => (await given(edge)) === expected, `answers hold ${expected}`);

async function mediastreamer(service: RunningService, ...args: string[]) {
  const { code, stdout, stderr } = await runProgram(
    [...args, '--config', join(service.folder, 'config.yaml')],
    {
      env,
    },
  );
  return { code, lines: stdout.trimEnd().split('\n'), stderr: stderr.trim() };
}

/** Opens a connection through a relay. */
async function tunnel(address: string): Promise<TLSSocket> {
  const socket = connect({ host: address, port, servername: FILMS, rejectUnauthorized: false });
  socket.on('error', () => {});
  await once(socket, 'secureConnect');
  return socket;
}

it('answers with relays that pass their probes, and logs so', async () => {
  const edge = edges['last-good'];
  const isUp = (address: string) => `mediastreamer_relay_up{region="us",relay="${address}"} 1`;
  await until(async () => {
    const metrics = await edge.metrics();
    return metrics.includes(isUp(ONE)) && metrics.includes(isUp(TWO));
  }, 'both are up');
  expect(await given(edge)).toBe(`${ONE} ${TWO}`);
  const metrics = await edge.metrics();
  expect(metrics).toMatch(/relay_probes_total{region="us",relay="127\.0\.7\.1",outcome="ok"} [1-9]/);
  expect(metrics).toContain('mediastreamer_region_down{region="us"} 0');
  const { lines } = await mediastreamer(edge, 'relay', 'status');
  expect(lines).toEqual([
    expect.stringMatching(/^us {2}127\.0\.7\.1 up, \d+ ms, for \d+ s {2}\(weight 1\)$/),
    expect.stringMatching(/^us {2}127\.0\.7\.2 up/),
  ]);
});

describe('check-service', () => {
  beforeAll(() => {
    const { folder } = edges['last-good'];
    writeServiceFile(folder, {
      service: 'mixed',
      title: 'Mixed',
      regions: ['us'],
      names: [`nowhere.${REFUSING}`],
      exact: [`a.${REFUSING}`],
    });
  });

  it('reports a service that answers through a relay', async () => {
    const { code, lines } = await mediastreamer(
      edges['last-good'],
      'check-service',
      'films',
      '--region',
      'us',
    );
    expect(lines).toEqual([
      `films through ${ONE} of us`,
      expect.stringMatching(/^ {2}answers +test-films\.com {2}test-films\.com in \d+ ms$/),
      '1 names: 1 answer, 0 have no address, 0 fail',
    ]);
    expect(code).toBe(0);
  });

  it('distinguishes unlisted names, names without address, and invalid certificates', async () => {
    const edge = edges['last-good'];
    const outcome = async (name: string, ...more: string[]) => {
      const { code, lines } = await mediastreamer(
        edge,
        'check-service',
        name,
        '--relay',
        TWO,
        '--json',
        ...more,
      );
      const { names, verdict } = JSON.parse(lines[0]!);
      return [code, verdict, names.map((each: { outcome: string }) => each.outcome).join()];
    };
    expect(await outcome('mixed')).toEqual([1, 'names-fail', 'unlisted,unlisted']);
    expect(await outcome(`nowhere.${FILMS}`)).toEqual([1, 'names-fail', 'no-address']);
    expect(await outcome(`a.b.${FILMS}`)).toEqual([1, 'names-fail', 'certificate']);
  });

  it('treats a name outside the catalog as bad usage', async () => {
    const { code, stderr } = await mediastreamer(edges['last-good'], 'check-service', 'nothing');
    expect([code, stderr]).toEqual([
      2,
      expect.stringContaining('expected a service or a name of the catalog'),
    ]);
  });
});

describe('a drained relay', () => {
  it("leaves all edges' answers by their next probe and serves on until its connections end", async () => {
    const relay = relays.get(TWO)!;
    const open = await tunnel(TWO);
    const hurried = await mediastreamer(relay, 'relay', 'drain', '--timeout', '0');
    expect([hurried.code, hurried.lines.at(-1)]).toEqual([3, '0 s: timeout, 1 connections left']);
    const draining = mediastreamer(relay, 'relay', 'drain', '--timeout', '30');
    for (const edge of Object.values(edges)) await gives(edge, ONE);
    expect(await edges.plain.metrics()).toMatch(/relay_drained{region="us",relay="127\.0\.7\.2"} 1/);
    const { lines: status } = await mediastreamer(relay, 'relay', 'status');
    expect(status).toEqual(['this relay, in us: draining, 1 connections']);
    expect(open.destroyed).toBe(false);
    open.destroy();
    const { code, lines } = await draining;
    expect(code).toBe(0);
    expect(lines[0]).toBe('this relay drains: edges that probe it leave it out by their next probe');
    expect(lines.at(-1)).toMatch(/^\d+ s: no connections left$/);
  });

  it('is reported by check-service', async () => {
    const open = await tunnel(TWO).catch(() => null);
    expect(open).toBeNull();
    const { code, lines } = await mediastreamer(edges.plain, 'check-service', 'films', '--relay', TWO);
    expect([code, lines[1]]).toEqual([3, expect.stringMatching(/^ {2}relay drains +test-films\.com$/)]);
  });

  it('comes back with undrain', async () => {
    const { code } = await mediastreamer(relays.get(TWO)!, 'relay', 'undrain');
    expect(code).toBe(0);
    for (const edge of Object.values(edges)) await gives(edge, `${ONE} ${TWO}`);
  });

  it('can be drained at one edge; a fully drained region resolves as usual', async () => {
    const { 'last-good': edge, plain } = edges;
    expect(await mediastreamer(edge, 'relay', 'drain', '--relay', ONE)).toEqual({
      code: 0,
      lines: [`${ONE} is out of this edge's answers`, 'the connections are counted on the host of the relay'],
      stderr: '',
    });
    await gives(edge, TWO);
    expect(await given(plain)).toBe(`${ONE} ${TWO}`);
    expect((await mediastreamer(edge, 'relay', 'drain', '--region', 'us')).code).toBe(0);
    await gives(edge, DIRECT);
    expect((await mediastreamer(edge, 'relay', 'undrain', '--region', 'us')).code).toBe(0);
    await gives(edge, `${ONE} ${TWO}`);
    const { code, stderr } = await mediastreamer(edge, 'relay', 'drain', '--relay', '127.0.7.3');
    expect([code, stderr]).toEqual([1, 'no relay of this process or of its edge matches']);
    expect((await mediastreamer(edge, 'relay', 'drain')).stderr).toContain('this process is not a relay');
  });
});

describe('a dead relay', () => {
  it('leaves the answers and shows in log, metrics, explain and check-service', async () => {
    relays.get(ONE)!.kill('SIGKILL');
    for (const edge of Object.values(edges)) await gives(edge, TWO);
    const edge = edges['last-good'];
    const line = await edge.logged('a relay is down: out of the answers');
    expect(line).toMatchObject({ level: 'warn', region: 'us', relay: ONE, found: 'unreachable' });
    expect(await edge.metrics()).toMatch(/relay_up{region="us",relay="127\.0\.7\.1"} 0/);
    const ready = (await (await fetch(`${edge.metricsUrl}/readyz`)).json()) as {
      ready: boolean;
      checks: unknown[];
    };
    expect(ready).toMatchObject({ ready: true });
    expect(ready.checks).toContainEqual({
      name: 'relays',
      ready: true,
      state: 'relay-down',
      up: 1,
      down: 1,
      drained: 0,
      regionsDown: 0,
    });
    const { lines } = await mediastreamer(edge, 'explain', FILMS, '--from', HOME);
    expect(lines[3]).toMatch(/^ {2}relays {2}127\.0\.7\.1 down \(unreachable\); 127\.0\.7\.2 up, \d+ ms$/);
    const checked = await mediastreamer(edge, 'check-service', 'films', '--relay', ONE);
    expect([checked.code, checked.lines[1]]).toEqual([
      3,
      expect.stringMatching(/^ {2}relay does not answer +test-films\.com$/),
    ]);
  });

  it('comes back after its restart', async () => {
    relays.set(ONE, await startRelay(ONE, port));
    for (const edge of Object.values(edges)) await gives(edge, `${ONE} ${TWO}`);
    await edges.plain.logged('a relay is up: in the answers');
  });
});

it('follows health.allDown when all relays die: the last good ones, or plain answers', async () => {
  for (const relay of relays.values()) relay.kill('SIGKILL');
  await gives(edges.plain, DIRECT);
  const edge = edges['last-good'];
  expect(await edge.logged('no relay of a region is up')).toMatchObject({
    level: 'error',
    region: 'us',
    allDown: 'last-good',
  });
  // Threads take the new conditions after the log has them.
  await gives(edge, `${ONE} ${TWO}`);
  expect(await edge.metrics()).toContain('mediastreamer_region_down{region="us"} 1');
  for (const each of Object.values(edges)) {
    expect(each.output).not.toContain(HOME);
    expect(each.output).not.toContain(FILMS);
    expect(await each.stop()).toEqual({ code: 0, signal: null });
    expect(each.stderr).toBe('');
  }
});
