/**
 * Sends 100,000 random and mutated packets over UDP and TCP from a registered source. Every reply must answer
 * something that was sent, a good query is answered after each thousand, and memory stays flat.
 */
import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeQuery, readReply, shown, TcpClient, UdpClient } from '../support/dns-client.ts';
import { FakeUpstream } from '../support/fake-upstream.ts';
import { Chance, PacketMaker } from '../support/mutate.ts';
import { type Endpoint, FILMS, RELAY, RunningService, SERIES } from '../support/service.ts';

const UDP_PACKETS = 80_000;
const TCP_PACKETS = 20_000;
const ROUND = 1_000;
const WARM_UP_ROUNDS = 10;
/** Allowed growth after the warm-up: caches fill, and V8's heap varies. */
const MOST_GROWTH_BYTES = 64 * 1024 * 1024;
const HOME = '127.0.6.1';

/** Repeat a failure with MEDIASTREAMER_FUZZ_SEED=n. */
const seed = Number(process.env['MEDIASTREAMER_FUZZ_SEED'] ?? randomInt(2 ** 32));
const NAMES = [FILMS, `www.${SERIES}`, 'other.example', 'localhost', '1.0.0.10.in-addr.arpa', 'onion', '.'];

let upstream: FakeUpstream;
beforeAll(async () => {
  upstream = await FakeUpstream.start();
});
afterAll(() => upstream.stop());

/** The resident memory of a process, in bytes. */
function residentBytes(pid: number): number {
  return 1024 * Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]);
}

/** Describes an error in a reply to `sent`; null if there is none. */
function faultOf(reply: Buffer, isSent: (id: number) => boolean): string | null {
  if (reply.length < 12) return `a reply of ${reply.length} bytes`;
  if ((reply[2] & 0x80) === 0) return 'QR=0';
  return isSent(reply.readUInt16BE(0)) ? null : 'an ID that nobody asked with';
}

const good = { name: `www.${FILMS}` };
const steered = `NOERROR ${RELAY.us.address}`;

/** A socket, the IDs that it has sent, and the errors in its replies. */
class FuzzSocket {
  readonly client: UdpClient;
  readonly faults: string[] = [];
  replies = 0;
  private readonly sent = new Set<number>();

  private constructor(client: UdpClient) {
    this.client = client;
    client.socket.on('message', (reply) => {
      this.replies++;
      const fault = faultOf(reply, (id) => this.sent.has(id));
      if (fault !== null) this.faults.push(fault);
    });
  }

  static async open(): Promise<FuzzSocket> {
    return new FuzzSocket(await UdpClient.open(HOME));
  }

  send(to: Endpoint, packet: Buffer): void {
    if (packet.length >= 2) this.sent.add(packet.readUInt16BE(0));
    this.client.send(to, packet);
  }

  async askGood(to: Endpoint, id: number): Promise<string> {
    this.sent.add(id);
    return shown(await this.client.ask(to, { ...good, id }));
  }
}

/** Sends a thousand packets by several sockets in turn; then a good query must be answered. */
async function udpRound(
  to: Endpoint,
  sockets: readonly FuzzSocket[],
  maker: PacketMaker,
  firstId: number,
): Promise<void> {
  for (let index = 0; index < ROUND; index++) {
    sockets[index % sockets.length].send(to, maker.next((firstId + index) & 0xffff));
    // Packets that the kernel drops would test nothing.
    if (index % 100 === 99) await new Promise((resolve) => setImmediate(resolve));
  }
  expect(await sockets[0].askGood(to, (firstId + ROUND) & 0xffff), `seed ${seed}`).toBe(steered);
}

/** Sends as many packets over connections, however many the server closes. @returns errors in replies */
async function tcpRound(to: Endpoint, maker: PacketMaker, firstId: number): Promise<string[]> {
  const faults: string[] = [];
  let id = firstId;
  for (let left = ROUND; left > 0; ) {
    const client = await TcpClient.open(to, HOME);
    const sent = new Set<number>();
    for (let burst = 0; burst < 50 && left > 0 && !client.isClosed; burst++, left--) {
      const packet = maker.next(++id & 0xffff);
      if (packet.length >= 2) sent.add(packet.readUInt16BE(0));
      client.send(packet);
      if (burst % 10 === 9) await new Promise((resolve) => setImmediate(resolve));
    }
    const last = encodeQuery({ ...good, id: ++id & 0xffff });
    sent.add(id & 0xffff);
    client.send(last);
    // Closing first is correct, too: earlier bytes may have been no query.
    const reply = await client.next(id & 0xffff);
    if (reply !== null && shown(readReply(reply)) !== steered) faults.push('a good query was not answered');
    for (const other of client.replies)
      faults.push(...[faultOf(other, (asked) => sent.has(asked))].filter((fault) => fault !== null));
    client.close();
  }
  const client = await TcpClient.open(to, HOME);
  expect(shown(await client.ask(good)), `seed ${seed}`).toBe(steered);
  client.close();
  return faults;
}

describe.each(['mmsg', 'dgram'])(`random and mutated packets (seed ${seed}) to %s`, (engine) => {
  let service: RunningService;
  beforeAll(async () => {
    const config = { dns: { engine, tcpLimits: { connectionsPerSource: 4096 } }, upstreams: [upstream.url] };
    service = await RunningService.start({ config });
    await service.household([HOME]);
  });
  afterAll(async () => {
    const exit = await service.stop();
    const crash = service.lines.find(({ msg }) => msg === 'crash');
    expect({ ...exit, crash, seed }).toEqual({ code: 0, signal: null, crash: undefined, seed });
  });

  // The engines differ in how UDP comes in; TCP is the same for both.
  const udpPackets = engine === 'mmsg' ? UDP_PACKETS : 10_000;
  const tcpPackets = engine === 'mmsg' ? TCP_PACKETS : 1_000;

  it('over UDP are answered with their IDs or not at all', async () => {
    const maker = new PacketMaker(new Chance(seed), NAMES);
    const sockets = await Promise.all(Array.from({ length: 8 }, () => FuzzSocket.open()));
    let warm = 0;
    for (let sent = 0; sent < udpPackets; sent += ROUND) {
      await udpRound(service.udp, sockets, maker, sent);
      if (sent === WARM_UP_ROUNDS * ROUND) warm = residentBytes(service.child.pid!);
    }
    const end = residentBytes(service.child.pid!);
    for (const { client } of sockets) client.close();
    const faults = sockets.flatMap((socket) => socket.faults);
    expect({ seed, faults: faults.slice(0, 5) }).toEqual({ seed, faults: [] });
    // Most packets must be close enough to a query to be answered.
    const replies = sockets.reduce((sum, socket) => sum + socket.replies, 0);
    expect(replies).toBeGreaterThan(udpPackets / 4);
    if (warm > 0) expect(end - warm, `seed ${seed}`).toBeLessThan(MOST_GROWTH_BYTES);
  });

  it('over TCP are answered with their IDs, or the connection ends', async () => {
    const maker = new PacketMaker(new Chance(seed ^ 1), NAMES);
    const faults: string[] = [];
    let warm = 0;
    for (let sent = 0; sent < tcpPackets; sent += ROUND) {
      faults.push(...(await tcpRound(service.tcp, maker, sent)));
      if (sent === 2 * ROUND) warm = residentBytes(service.child.pid!);
    }
    expect({ seed, faults: faults.slice(0, 5) }).toEqual({ seed, faults: [] });
    const end = residentBytes(service.child.pid!);
    if (warm > 0) expect(end - warm, `seed ${seed}`).toBeLessThan(MOST_GROWTH_BYTES);
  });
});
