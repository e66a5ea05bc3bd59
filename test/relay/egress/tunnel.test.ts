/** Tunnels through proxies, from a given address, and with PROXY headers to origins; with both engines. */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { parseProxyUrl, readProxyHeader } from '../../../src/net/index.ts';
import { EGRESS_OUTCOMES, type EgressOutcome } from '../../../src/relay/egress/egress-outcome.ts';
import { FakeProxy } from '../../support/fake-proxy.ts';
import { until } from '../../support/until.ts';
import { type BedOptions, helloFor, Origin, type Peer, RelayBed } from '../support.ts';

const HOME = '127.0.0.9';
const NAME = 'www.films.example';
const HELLO = helloFor(NAME);

let origin: Origin;
let proxies: FakeProxy[];
let bed: RelayBed;

beforeAll(async () => {
  origin = await Origin.start();
});
afterAll(() => origin.stop());
beforeEach(async () => {
  origin.peers.length = 0;
  proxies = [await FakeProxy.start(), await FakeProxy.start()];
});
afterEach(async () => {
  await bed.stop();
  for (const proxy of proxies) proxy.stop();
});

async function startBed(urls: readonly string[], options: BedOptions = {}): Promise<void> {
  bed = await RelayBed.start({
    originPort: origin.port,
    ...options,
    policy: { proxies: urls.map((url) => parseProxyUrl(url)!), ...options.policy },
  });
  bed.register(HOME);
  bed.names.set(NAME, ['127.0.0.1']);
}

/** Opens a tunnel and returns both ends. */
async function tunnel(): Promise<[client: Peer, server: Peer]> {
  const client = await bed.dial();
  client.socket.write(HELLO);
  const server = await origin.peer(origin.peers.length);
  await server.until(({ received }) => received.length === HELLO.length);
  expect(server.received.equals(HELLO)).toBe(true);
  server.received = Buffer.alloc(0);
  return [client, server];
}

async function isClosed(outcome: Parameters<RelayBed['count']>[0]): Promise<void> {
  const client = await bed.dial();
  client.socket.write(HELLO);
  client.socket.on('end', () => client.socket.end());
  await client.closed;
  expect(client.received.length).toBe(0);
  await until(() => bed.count(outcome) === 1, outcome);
}

/** Outcomes of attempts through a proxy: `{ connected: 2 }`. */
function attempts(index: number): Record<string, number> {
  const counts = bed.relay.proxies[index]!.outcomes.map(
    (count, outcome) => [EGRESS_OUTCOMES[outcome as EgressOutcome]!, count] as const,
  );
  return Object.fromEntries(counts.filter(([, count]) => count > 0));
}

const url = (scheme: string, index: number, credentials = '') =>
  `${scheme}://${credentials}127.0.0.1:${proxies[index]!.port}`;

describe.each(['epoll', 'streams'] as const)('a relay by %s', (engine) => {
  describe.each(['socks5', 'http'] as const)('through a %s proxy', (scheme) => {
    it('sends the checked address and carries both directions', async () => {
      await startBed([url(scheme, 0)], { engine });
      const [client, server] = await tunnel();
      expect(proxies[0]!.asked).toEqual([`127.0.0.1:${origin.port}`]);
      server.socket.write('answer');
      await client.until(({ text }) => text === 'answer');
      client.socket.end('request');
      await server.until(({ ended }) => ended);
      expect(server.text).toBe('request');
      server.socket.end();
      expect(await client.closed).toBe('end');
      await until(() => bed.count('CARRIED') === 1, 'it is counted');
    });

    it('carries bulk data unchanged in both directions', async () => {
      await startBed([url(scheme, 0)], { engine });
      const bytes = randomBytes(6 << 20);
      const [client, server] = await tunnel();
      const digest = async ({ socket }: Peer) => {
        socket.removeAllListeners('data');
        const hash = createHash('sha256');
        socket.on('data', (chunk: Buffer) => hash.update(chunk));
        await once(socket, 'end');
        return hash.digest('hex');
      };
      const digests = Promise.all([client, server].map(digest));
      for (const { socket } of [client, server]) socket.end(bytes);
      const expected = createHash('sha256').update(bytes).digest('hex');
      expect(await digests).toEqual([expected, expected]);
    });

    it('sends credentials, and fails without them', async () => {
      proxies[0]!.credentials = 'user:p@ss';
      proxies[1]!.credentials = 'user:other';
      await startBed([url(scheme, 0, 'user:p%40ss@'), url(scheme, 1, 'user:p%40ss@')], { engine });
      const peers = [...(await tunnel()), ...(await tunnel())];
      expect(attempts(0)).toEqual({ connected: 2 });
      // With SOCKS5 the probe already finds it, so the proxy is not used at all.
      expect(attempts(1)).toEqual(scheme === 'http' ? { credentials: 1 } : {});
      for (const { socket } of peers) socket.destroy();
    });

    it.each([
      ['closing', 'failed'],
      ['forbid', 'forbidden'],
      ['no-origin', 'origin'],
    ] as const)('uses another proxy if the first is %s', async (behaviour, outcome) => {
      await startBed([url(scheme, 0), url(scheme, 1)], { engine });
      proxies[0]!.behaviour = behaviour;
      const peers = [...(await tunnel()), ...(await tunnel())];
      expect(attempts(0)).toEqual({ [outcome]: 1 });
      expect(attempts(1)).toEqual({ connected: 2 });
      for (const { socket } of peers) socket.destroy();
    });

    it("forwards bytes that came with the proxy's last reply", async () => {
      proxies[0]!.early = 'early';
      await startBed([url(scheme, 0)], { engine });
      const [client, server] = await tunnel();
      await client.until(({ text }) => text === 'early');
      for (const { socket } of [client, server]) socket.destroy();
    });

    it('never asks for an address that the egress guard rejects', async () => {
      await startBed([url(scheme, 0)], { engine, allowPrivate: false });
      await isClosed('FORBIDDEN');
      expect(proxies[0]!.asked).toEqual([]);
    });

    it('closes the connection if no proxy reaches the origin', async () => {
      await startBed([url(scheme, 0), url(scheme, 1)], { engine });
      for (const proxy of proxies) proxy.behaviour = 'no-origin';
      await isClosed('UNREACHABLE');
      // A dead origin is not the proxies' failure.
      expect(bed.relay.proxies.map(({ isUp }) => isUp)).toEqual([true, true]);
    });
  });

  it('tries proxies that are down if no other is left', async () => {
    proxies[0]!.behaviour = 'closing';
    await startBed([url('socks5', 0)], { engine });
    expect(bed.relay.proxies.map(({ isUp }) => isUp)).toEqual([false]);
    proxies[0]!.behaviour = 'serve';
    const [client] = await tunnel();
    expect(bed.relay.proxies.map(({ isUp }) => isUp)).toEqual([true]);
    client.socket.destroy();
  });

  it("resolves a proxy's name, and does without a proxy that has no address", async () => {
    const named = `socks5://proxy.example:${proxies[0]!.port}`;
    await startBed([named, 'http://nowhere.example:3128'], {
      engine,
      hosts: { 'proxy.example': ['127.0.0.1'] },
    });
    const [client] = await tunnel();
    expect(attempts(0)).toEqual({ connected: 1 });
    expect(bed.relay.proxies.map(({ isUp }) => isUp)).toEqual([true, false]);
    client.socket.destroy();
  });

  it("closes the proxy's connection when the client leaves", async () => {
    await startBed([url('http', 0)], { engine });
    proxies[0]!.behaviour = 'silent';
    const client = await bed.dial();
    client.socket.write(HELLO);
    const connections = () =>
      new Promise<number>((resolve) => proxies[0]!.server.getConnections((_, count) => resolve(count)));
    await until(async () => (await connections()) === 1, 'the proxy is asked');
    client.socket.resetAndDestroy();
    await until(async () => (await connections()) === 0, 'the proxy is let go of');
    expect(bed.count('ABANDONED')).toBe(1);
  });

  it('connects from the configured address, and not in a family without one', async () => {
    await startBed([], { engine, policy: { localAddresses: ['127.0.0.77'] } });
    const [client, server] = await tunnel();
    expect(server.socket.remoteAddress).toBe('127.0.0.77');
    client.socket.destroy();
    bed.names.set('six.films.example', ['::1']);
    const other = await bed.dial();
    other.socket.write(helloFor('six.films.example'));
    other.socket.on('end', () => other.socket.end());
    await other.closed;
    expect(bed.count('UNREACHABLE')).toBe(1);
  });

  it.each(['v1', 'v2'] as const)('sends a PROXY header %s to the configured origins', async (version) => {
    await startBed([], {
      engine,
      policy: { proxyProtocolTo: ['127.0.0.1/32'], proxyProtocolVersion: version },
    });
    const client = await bed.dial();
    client.socket.write(HELLO);
    const server = await origin.peer(0);
    await server.until(({ received }) => received.length > HELLO.length);
    const header = readProxyHeader(server.received, server.received.length);
    const from = header.kind === 'header' ? header.source : null;
    expect(from).toMatchObject({ address: { family: 4 }, port: client.socket.localPort });
    expect([...from!.address.bytes].join('.')).toBe(HOME);
    expect(server.received.subarray(-HELLO.length).equals(HELLO)).toBe(true);
    expect(server.text.startsWith('PROXY TCP4 ')).toBe(version === 'v1');
    if (version === 'v1') {
      const { remotePort, localPort } = client.socket;
      expect(server.text).toContain(`PROXY TCP4 ${HOME} 127.0.0.1 ${localPort} ${remotePort}\r\n`);
    }
    client.socket.destroy();
  });

  it('sends other origins no PROXY header', async () => {
    await startBed([], { engine, policy: { proxyProtocolTo: ['127.0.0.2/32'] } });
    const [client] = await tunnel();
    client.socket.destroy();
  });
});

describe('a pool of proxies', () => {
  it('skips a proxy that is gone, uses the others, and uses it again when it is back', async () => {
    const changes: [string, boolean][] = [];
    await startBed([url('socks5', 0), url('http', 1)], {
      onProxy: (proxy, isUp) => changes.push([proxy, isUp]),
    });
    const { port } = proxies[0]!;
    proxies[0]!.stop();
    const peers: Peer[] = [];
    // A proxy back from its first probe is taken out by one failure.
    for (let i = 0; i < 4; i++) peers.push(...(await tunnel()));
    expect(attempts(0)).toEqual({ unreachable: 1 });
    expect(attempts(1)).toEqual({ connected: 4 });
    const label = `socks5://127.0.0.1:${port}`;
    await until(() => changes.length === 1, 'it is told');
    proxies[0] = await FakeProxy.start(port);
    await until(() => changes.length === 2, 'it is back');
    expect(changes).toEqual([
      [label, false],
      [label, true],
    ]);
    for (let i = 0; i < 2; i++) peers.push(...(await tunnel()));
    expect(attempts(0)).toEqual({ unreachable: 1, connected: 1 });
    for (const { socket } of peers) socket.destroy();
  });
});

describe('HTTP by Host', () => {
  it('goes through proxies too, with a connection per host', async () => {
    await startBed([url('http', 0)]);
    bed.names.set('films.example', ['127.0.0.2']);
    const client = await bed.dial({ protocol: 'http' });
    client.socket.write(`GET / HTTP/1.1\r\nHost: ${NAME}\r\n\r\n`);
    const first = await origin.peer(0);
    await first.until(({ text }) => text.endsWith('\r\n\r\n'));
    expect(proxies[0]!.asked).toEqual([`127.0.0.1:${origin.port}`]);
    first.socket.end('HTTP/1.1 204 No Content\r\n\r\n');
    await client.until(({ text }) => text.endsWith('\r\n\r\n'));
    client.socket.destroy();
  });
});
