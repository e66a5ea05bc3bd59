/** One home whose questions are never answered takes nothing away from another home. */
import dgram from 'node:dgram';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeQuery, shown, UdpClient } from '../support/dns-client.ts';
import { RunningService } from '../support/service.ts';

/** Both homes are in one /24, as neighbors are. */
const ATTACKER = '127.0.62.66';
const HOME = '127.0.62.1';
const BATCHES = 4;
const BATCH = 5;

/** Never answers below evil.example or for names that begin with `silent`, and answers everything else with TTL 1. */
class PartlySilentUpstream {
  private readonly socket = dgram.createSocket({ type: 'udp4', recvBufferSize: 4 << 20 });

  static async start(): Promise<PartlySilentUpstream> {
    const upstream = new PartlySilentUpstream();
    upstream.socket.on('message', (query, peer) => {
      const text = query.toString('latin1').toLowerCase();
      if (text.includes('evil') || text.includes('silent')) return;
      upstream.socket.send(answerTo(query), peer.port, peer.address, () => {});
    });
    upstream.socket.bind(0, '127.0.0.1');
    await once(upstream.socket, 'listening');
    return upstream;
  }

  get url(): string {
    return `udp://127.0.0.1:${this.socket.address().port}`;
  }

  stop(): void {
    this.socket.close();
  }
}

/** One A record behind the question, TTL 1, without OPT. */
function answerTo(query: Buffer): Buffer {
  let end = 12;
  while (query[end] !== 0) end += query[end]! + 1;
  const head = Buffer.from(query.subarray(0, end + 5));
  head.set([0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0], 2);
  return Buffer.concat([head, Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 192, 0, 2, 1])]);
}

let upstream: PartlySilentUpstream;
let service: RunningService;
let attacker: UdpClient;
let home: UdpClient;

beforeAll(async () => {
  upstream = await PartlySilentUpstream.start();
  service = await RunningService.start({ config: { upstreams: [upstream.url] } });
  await service.household([ATTACKER]);
  await service.household([HOME]);
  attacker = await UdpClient.open(ATTACKER);
  home = await UdpClient.open(HOME);
});

afterAll(async () => {
  attacker.close();
  home.close();
  await service.stop();
  upstream.stop();
});

async function askBatch(prefix: string): Promise<string[]> {
  const names = Array.from({ length: BATCH }, (_, index) => `${prefix}-${index}.good.example`);
  return Promise.all(names.map(async (name) => shown(await home.ask(service.udp, { name }))));
}

describe('while one home asks thousands of names that are never answered', () => {
  it.each([
    ['below one zone', (index: number) => `n${index}.slow.evil.example`],
    ['below as many zones', (index: number) => `www.silent${index}.example`],
  ])('another home is answered as before: %s', async (what, name) => {
    const id = what.replaceAll(' ', '');
    const expected = Array(BATCH).fill('NOERROR 192.0.2.1');
    expect(await askBatch(`before-${id}`)).toEqual(expected);
    let isFlooding = true;
    const flood = (async () => {
      for (let sent = 0; isFlooding && sent < 60_000; ) {
        for (let burst = 0; burst < 60; burst++)
          attacker.send(service.udp, encodeQuery({ name: name(sent++) }));
        await sleep(10);
      }
    })();
    try {
      for (let batch = 0; batch < BATCHES; batch++) {
        await sleep(1200);
        expect(await askBatch(`during-${id}-${batch}`)).toEqual(expected);
      }
    } finally {
      isFlooding = false;
      await flood;
    }
  });
});
