/**
 * A flood from unregistered sources at the running service: the filter comes and goes by itself, and registered
 * sources are served all the time. Where the kernel refuses filters, the service must say so, and serve.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { monotonicClock } from '../../src/sys/index.ts';
import { askUdp, encodeQuery, UdpClient } from '../support/dns-client.ts';
import { FakeUpstream } from '../support/fake-upstream.ts';
import {
  FILMS,
  RELAY,
  RunningService,
  runProgram,
  temporaryFolder,
  until,
  writeConfig,
} from '../support/service.ts';

const HOME = '127.0.11.1';
const STRANGER = '127.0.11.99';
const OPEN_NAME = 'api.operator.example';
/** A flood that any machine can make; the filter drops all but one in ten packets. */
const SHIELD = { engagePerSecond: 500, samplePerSecond: 100, holdSeconds: 2 };
const FLOOD_PER_TURN = 40;

const now = monotonicClock();

/** Queries from unregistered sources until it is stopped, some thousands a second. */
class Flood {
  private readonly clients: readonly UdpClient[];
  private isOver = false;
  private readonly ended: Promise<void>;

  private constructor(clients: readonly UdpClient[], target: RunningService['udp']) {
    this.clients = clients;
    this.ended = this.pour(target);
  }

  static async start(target: RunningService['udp']): Promise<Flood> {
    const sources = Array.from({ length: 20 }, (_, i) => `127.20.${i}.1`);
    return new Flood(await Promise.all(sources.map((source) => UdpClient.open(source))), target);
  }

  async stop(): Promise<void> {
    this.isOver = true;
    await this.ended;
    for (const client of this.clients) client.close();
  }

  private async pour(target: RunningService['udp']): Promise<void> {
    const query = encodeQuery({ name: FILMS });
    while (!this.isOver) {
      for (let i = 0; i < FLOOD_PER_TURN; i++) this.clients[i % this.clients.length].send(target, query);
      await new Promise((resolve) => setTimeout(resolve, 4));
    }
  }
}

async function sample(service: RunningService, name: string): Promise<number> {
  const line = (await service.metrics())
    .split('\n')
    .find((each) => each.startsWith(`mediastreamer_shield_${name} `));
  return Number(line?.split(' ')[1]);
}

async function readiness(
  service: RunningService,
): Promise<{ state: string; ready: boolean; reason?: string }> {
  const reply = await fetch(`${service.metricsUrl}/readyz`);
  const { checks } = (await reply.json()) as {
    checks: { name: string; state: string; ready: boolean; reason?: string }[];
  };
  return checks.find(({ name }) => name === 'shield')!;
}

const answerTo = async (service: RunningService, from: string, name = FILMS) =>
  (await askUdp(service.udp, from, { name })).data;

let upstream: FakeUpstream;
let service: RunningService;
let available: boolean;
beforeAll(async () => {
  upstream = await FakeUpstream.start();
  const dns = { workers: 2, shield: SHIELD, bootstrapNames: [OPEN_NAME] };
  service = await RunningService.start({ config: { dns, upstreams: [upstream.url] } });
  available = (await sample(service, 'available')) === 1;
});
afterAll(async () => {
  await service.stop();
  await upstream.stop();
});

describe('the shield of a service', () => {
  it('is told, whether it may be had or not, and keeps no work away', async () => {
    const { state, ready } = await readiness(service);
    expect([state, ready]).toEqual([available ? 'ready' : 'unavailable', true]);
    expect(await sample(service, 'engaged')).toBe(0);
    const told = service.lines.filter(({ msg }) => msg === 'shield not available');
    expect(told).toHaveLength(available ? 0 : 1);
    if (!available) expect(told[0]['reason']).toMatch(/CAP_BPF|kernel|memory/);
  });

  it('keeps a flood away, and registered homes, new ones and some of the others are served meanwhile', async () => {
    await service.household([HOME]);
    const flood = await Flood.start(service.udp);
    try {
      if (!available) {
        expect(await answerTo(service, HOME)).toEqual([RELAY.us.address]);
        return;
      }
      const { entries } = (await service.logged('shield engaged')) as unknown as { entries: number };
      expect(entries).toBe(1);
      expect((await readiness(service)).state).toBe('engaged');
      expect([await sample(service, 'engaged'), await sample(service, 'entries')]).toEqual([1, 1]);
      for (let i = 0; i < 20; i++) expect(await answerTo(service, HOME)).toEqual([RELAY.us.address]);
      await registeredMeanwhile();
      const dropped = await sample(service, 'dropped_packets_total');
      await until(async () => (await sample(service, 'dropped_packets_total')) > dropped + 100, 'it drops');
      await someOpenName();
    } finally {
      await flood.stop();
    }
    await service.logged('shield disengaged');
    await until(async () => (await readiness(service)).state === 'ready', 'the filter is taken off');
    expect(await sample(service, 'entries')).toBe(0);
    expect(await sample(service, 'dropped_packets_total')).toBeGreaterThan(100);
    expect(await sample(service, 'engagements_total')).toBeGreaterThan(0);
    expect((await askUdp(service.udp, STRANGER, { name: FILMS })).rcode).toBe('REFUSED');
  });

  it('told no address', () => {
    expect(service.output).not.toMatch(/127\.20\.|127\.0\.11\./);
  });
});

/** Homes that register while the filter is attached are served from their 2xx on. */
async function registeredMeanwhile(): Promise<void> {
  for (let i = 0; i < 10; i++) {
    const address = `127.0.12.${i + 1}`;
    const { registrations, secret } = await service.household([address]);
    expect(await answerTo(service, address)).toEqual([RELAY.us.address]);
    const path = `/v1/registrations/${registrations[address]}`;
    expect((await service.as(secret, address).call('DELETE', path)).status).toBe(204);
  }
}

/** A home that lost its registration gets through by retrying, as its router does. */
async function someOpenName(): Promise<void> {
  const client = await UdpClient.open(STRANGER);
  const query = encodeQuery({ name: OPEN_NAME });
  let isAnswered = false;
  client.socket.on('message', () => {
    isAnswered = true;
  });
  for (const endMs = now() + 20_000; !isAnswered && now() < endMs; ) {
    client.send(service.udp, query);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  client.close();
  expect(isAnswered).toBe(true);
}

describe('a service', () => {
  it('has no shield where the configuration says so, or its engine has no sockets for one', async () => {
    for (const [dns, state] of [
      [{ shield: { mode: 'off' } }, 'off'],
      [{ engine: 'dgram' }, 'unavailable'],
    ] as const) {
      const other = await RunningService.start({ config: { dns } });
      expect(await readiness(other)).toMatchObject({ ready: true, state });
      expect([await sample(other, 'available'), await sample(other, 'engaged')]).toEqual([0, 0]);
      await other.household([HOME]);
      expect(await answerTo(other, HOME)).toEqual([RELAY.us.address]);
      await other.stop();
    }
  });

  it('without the right to load one says why in one line and serves; where it must have one it does not start', async () => {
    // Processes of root have what the bounding set leaves; others have none of these rights.
    const wrapper = process.getuid!() === 0 ? ['setpriv', '--bounding-set=-bpf,-sys_admin'] : [];
    const other = await RunningService.start({ wrapper });
    const { state, reason } = await readiness(other);
    const lines = other.lines.filter(({ msg }) => msg === 'shield not available');
    // A kernel that lets everyone load filters accepts this process's, too.
    expect(lines.length).toBe(state === 'ready' ? 0 : 1);
    if (state !== 'ready') expect(reason).toContain('CAP_BPF');
    await other.household([HOME]);
    expect(await answerTo(other, HOME)).toEqual([RELAY.us.address]);
    await other.stop();
    if (state === 'ready') return;
    const folder = temporaryFolder();
    const config = writeConfig(folder, { dns: { shield: { mode: 'on' } } });
    const { code, stdout, stderr } = await runProgram(['serve', '--config', config], { wrapper });
    expect(code).toBe(1);
    expect(stdout + stderr).toContain('dns.shield.mode: found "on", expected "auto" or "off": EPERM');
  });
});
