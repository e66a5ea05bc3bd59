/**
 * Steered answers and cache hits stay fast while the upstream is silent, while 10,000 names wait for a slow one, and
 * while one source floods.
 */
import dgram from 'node:dgram';
import { once } from 'node:events';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeQuery, shown, UdpClient } from '../support/dns-client.ts';
import { FILMS, RELAY, RunningService } from '../support/service.ts';

const HOME = '127.0.61.1';
const NEIGHBOUR = '127.0.61.2';
/** Homes whose questions wait; one alone may have an eighth of them under way. */
const WAITING = ['127.0.61.3', '127.0.61.4', '127.0.61.5', HOME, NEIGHBOUR];
const CACHED = 'cached.example';
const IN_FLIGHT = 10_000;
/** Limit of the median: what a person notices, and generous for a busy machine. */
const AT_ONCE_MS = 250;
const ASKED = 40;

/** A slow or silent upstream, cheap enough for thousands of queries beside a test. */
class SlowUpstream {
  /** Numbers of the names `nNUMBER.example` that were asked for. */
  readonly numbers = new Set<number>();
  isSilent = false;
  private readonly socket = dgram.createSocket('udp4');
  private held: (() => void)[] = [];
  private holds = false;

  static async start(): Promise<SlowUpstream> {
    const upstream = new SlowUpstream();
    upstream.socket.on('message', (query, peer) => upstream.take(query, peer));
    upstream.socket.bind(0, '127.0.0.1');
    await once(upstream.socket, 'listening');
    return upstream;
  }

  get url(): string {
    return `udp://127.0.0.1:${this.socket.address().port}`;
  }

  hold(): void {
    this.holds = true;
  }

  release(): void {
    this.holds = false;
    for (const reply of this.held.splice(0)) reply();
  }

  stop(): void {
    this.socket.close();
  }

  private take(query: Buffer, peer: dgram.RemoteInfo): void {
    const label = query.toString('latin1', 13, 13 + query[12]!);
    if (/^n\d+$/i.test(label)) this.numbers.add(Number(label.slice(1)));
    if (this.isSilent) return;
    const reply = (): void => this.socket.send(answerTo(query), peer.port, peer.address, () => {});
    if (this.holds) this.held.push(reply);
    else reply();
  }
}

/** One A record, without OPT. */
function answerTo(query: Buffer): Buffer {
  let end = 12;
  while (query[end] !== 0) end += query[end]! + 1;
  const head = Buffer.from(query.subarray(0, end + 5));
  head.set([0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0], 2);
  return Buffer.concat([head, Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 192, 0, 2, 1])]);
}

let upstream: SlowUpstream;
let service: RunningService;
let client: UdpClient;
let neighbour: UdpClient;
let waiting: UdpClient[];

beforeAll(async () => {
  upstream = await SlowUpstream.start();
  service = await RunningService.start({ config: { upstreams: [upstream.url], cache: { bytes: '16MiB' } } });
  await service.household(WAITING);
  client = await UdpClient.open(HOME);
  neighbour = await UdpClient.open(NEIGHBOUR);
  waiting = await Promise.all(WAITING.map((home) => UdpClient.open(home)));
});
afterAll(async () => {
  client.close();
  neighbour.close();
  for (const each of waiting) each.close();
  upstream.stop();
  await service.stop();
});

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;

/** Asks for a steered and a cached name in turns. @returns the median time of each */
async function medians(): Promise<{ steeredMs: number; cachedMs: number }> {
  const timed = async (name: string, expected: string): Promise<number> => {
    const startedAt = performance.now();
    expect(shown(await client.ask(service.udp, { name }))).toBe(expected);
    return performance.now() - startedAt;
  };
  const steered: number[] = [];
  const cached: number[] = [];
  for (let i = 0; i < ASKED; i++) {
    steered.push(await timed(`www.${FILMS}`, `NOERROR ${RELAY.us.address}`));
    cached.push(await timed(CACHED, 'NOERROR 192.0.2.1'));
  }
  return { steeredMs: median(steered), cachedMs: median(cached) };
}

async function expectAtOnce(): Promise<void> {
  const { steeredMs, cachedMs } = await medians();
  expect(steeredMs).toBeLessThan(AT_ONCE_MS);
  expect(cachedMs).toBeLessThan(AT_ONCE_MS);
}

/** Asks for `nNUMBER.example` for all numbers, without waiting for answers. */
async function askAll(from: UdpClient, numbers: Iterable<number>): Promise<void> {
  let sent = 0;
  for (const number of numbers) {
    from.send(service.udp, encodeQuery({ name: `n${number}.example` }));
    if (++sent % 25 === 0) await nextTurn();
  }
}

describe('a steered answer and a cache hit come at once', () => {
  beforeAll(async () => {
    expect(shown(await client.ask(service.udp, { name: CACHED }))).toBe('NOERROR 192.0.2.1');
  });

  it('while the upstream is silent', async () => {
    upstream.isSilent = true;
    await askAll(client, Array(500).keys());
    await expectAtOnce();
    upstream.isSilent = false;
  });

  it(`while ${IN_FLIGHT} names wait for a slow upstream`, async () => {
    upstream.hold();
    const all = Array.from({ length: IN_FLIGHT }, (_, i) => 1000 + i);
    // Repeats what full buffers have lost, which depends on the machine.
    for (let round = 0; round < 20 && upstream.numbers.size < IN_FLIGHT * 0.9; round++) {
      const lost = all.filter((number) => !upstream.numbers.has(number));
      await Promise.all(
        waiting.map((home, index) =>
          askAll(
            home,
            lost.filter((number) => number % waiting.length === index),
          ),
        ),
      );
      await sleep(100);
    }
    expect(upstream.numbers.size).toBeGreaterThan(IN_FLIGHT / 2);
    await expectAtOnce();
    upstream.release();
  });

  it('while another source of the same household asks as much as it can', async () => {
    let isFlooding = true;
    const flood = (async () => {
      // At most about fifty thousand.
      for (let round = 0; round < 500 && isFlooding; round++) {
        await askAll(
          neighbour,
          Array.from({ length: 100 }, (_, i) => 100_000 + round * 100 + i),
        );
      }
    })();
    await expectAtOnce();
    isFlooding = false;
    await flood;
  });
});
