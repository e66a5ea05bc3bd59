/** Names of the host itself: handed to its own listeners, for everyone; and the self-test's name that a relay carries. */
import type { Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { until } from '../support/until.ts';
import { helloFor, Origin, type Peer, RelayBed } from './support.ts';

const HOME = '127.0.0.9';
const STRANGER = '127.0.0.77';
const OTHER_STRANGER = '127.0.0.78';
const PAGE = 'dns.home.example';
const FILMS = 'www.films.example';
const RELAYED = 'x1.relayed.test.home.example';

interface Taken {
  readonly protocol: 'tls' | 'http';
  readonly from: string | undefined;
  readonly socket: Socket;
  text: Buffer;
}

/** The relay has ended the connection. */
async function isClosed(client: Peer): Promise<void> {
  client.socket.end();
  await client.closed;
}

describe.each(['epoll', 'streams'] as const)('own names by %s', (engine) => {
  let bed: RelayBed;
  let origin: Origin;
  const taken: Taken[] = [];

  afterEach(async () => {
    for (const { socket } of taken.splice(0)) socket.destroy();
    await bed.stop();
    origin.stop();
  });

  async function start(limits: object = {}, policy: object = {}): Promise<void> {
    origin = await Origin.start(() => {});
    bed = await RelayBed.start({
      engine,
      originPort: origin.port,
      limits,
      policy: {
        ownNames: {
          exact: [PAGE],
          below: ['reached.test.home.example'],
          relayed: 'relayed.test.home.example',
          controlAddresses: ['127.0.0.1'],
          controlPort: origin.port,
        },
        ...policy,
      },
      // Nothing on loopback may be connected to, but for the control's own address.
      allowPrivate: false,
      ownAddresses: ['127.0.0.1'],
      takeOwn(protocol, socket) {
        const one: Taken = { protocol, from: socket.remoteAddress, socket, text: Buffer.alloc(0) };
        socket.on('data', (chunk) => {
          one.text = Buffer.concat([one.text, chunk]);
        });
        socket.on('error', () => {});
        socket.resume();
        taken.push(one);
      },
    });
    bed.register(HOME);
    bed.names.set(FILMS, ['127.0.0.1']);
  }

  it('are handed over whole, with the address of the client, registered or not', async () => {
    await start();
    for (const from of [HOME, STRANGER]) {
      for (const name of [PAGE, 'x7.reached.test.home.example', 'DNS.Home.Example']) {
        const client = await bed.dial({ from });
        const bytes = helloFor(name);
        client.socket.write(bytes.subarray(0, 20));
        await new Promise((resolve) => setTimeout(resolve, 10));
        client.socket.write(bytes.subarray(20));
        await until(() => taken.length > 0, 'handed over');
        client.socket.write('more');
        await until(() => taken[0]!.text.length >= bytes.length + 4, 'all bytes');
        const { protocol, from: seen, text, socket } = taken.shift()!;
        expect([protocol, seen]).toEqual(['tls', from]);
        expect(text.equals(Buffer.concat([bytes, Buffer.from('more')]))).toBe(true);
        socket.end('answer');
        await client.until(({ text: got }) => got === 'answer');
        client.socket.destroy();
      }
    }
    expect(bed.count('OWN')).toBe(6);
    expect(bed.open).toBe(0);
  });

  it('are handed over on port 80 too, with the whole request', async () => {
    await start();
    const client = await bed.dial({ from: STRANGER, protocol: 'http' });
    const request = `GET /path HTTP/1.1\r\nHost: ${PAGE}:80\r\n\r\nGET /second HTTP/1.1\r\n`;
    client.socket.write(request);
    await until(() => taken.length === 1, 'handed over');
    await until(() => taken[0]!.text.toString() === request, 'the whole request');
    expect([taken[0]!.protocol, taken[0]!.from]).toEqual(['http', STRANGER]);
  });

  it('give a stranger nothing else', async () => {
    await start();
    const before = bed.count('UNREGISTERED');
    for (const name of [FILMS, 'www.other.example', RELAYED, `x.${PAGE}`, 'test.home.example']) {
      const client = await bed.dial({ from: STRANGER });
      client.socket.write(helloFor(name));
      await isClosed(client);
      expect(client.received.length).toBe(0);
    }
    const client = await bed.dial({ from: STRANGER, protocol: 'http' });
    client.socket.write(`GET / HTTP/1.1\r\nHost: ${FILMS}\r\n\r\n`);
    await isClosed(client);
    expect(client.received.length).toBe(0);
    await until(() => bed.count('UNREGISTERED') === before + 6, 'all are counted');
    expect(origin.peers).toEqual([]);
    expect(taken).toEqual([]);
  });

  it('cannot be kept from other strangers and homes by one that opens connections', async () => {
    await start({ strangerConnections: 16 });
    const attacker = [];
    for (let i = 0; i < 40; i++) attacker.push(await bed.dial({ from: STRANGER }));
    await until(() => bed.count('LIMITED') === 38, 'the rest is refused');
    for (const from of [OTHER_STRANGER, HOME]) {
      const client = await bed.dial({ from });
      client.socket.write(helloFor(PAGE));
      await until(() => taken.length === 1, `${from} is served`);
      taken.shift()!.socket.destroy();
      client.socket.destroy();
    }
    for (const { socket } of attacker) socket.destroy();
  });

  it('of the relayed kind are carried to the control for a registered home alone', async () => {
    await start();
    const client = await bed.dial({ from: HOME });
    client.socket.write(helloFor(RELAYED));
    const server = await origin.peer(0);
    await server.until(({ received }) => received.equals(helloFor(RELAYED)));
    server.socket.end('picture');
    await client.until(({ text }) => text === 'picture');
    client.socket.destroy();
    // The guard lets nothing else there.
    const other = await bed.dial({ from: HOME });
    other.socket.write(helloFor(FILMS));
    await isClosed(other);
    expect(origin.peers).toHaveLength(1);
    expect(bed.count('FORBIDDEN')).toBe(1);
  });

  it('of the relayed kind are handed over when a relay has carried them here, even from a registered address', async () => {
    await start();
    bed.register('127.0.0.1');
    const client = await bed.dial({ from: '127.0.0.1' });
    client.socket.write(helloFor(RELAYED));
    await until(() => taken.length === 1, 'handed over');
    client.socket.destroy();
  });

  it('are unknown to a relay that serves none: strangers are closed before they have said anything', async () => {
    const ownNames = {
      exact: [],
      below: [],
      relayed: 'relayed.test.home.example',
      controlAddresses: ['127.0.0.1'],
      controlPort: 443,
    };
    await start({}, { ownNames });
    const client = await bed.dial({ from: STRANGER });
    await isClosed(client);
    expect(bed.count('UNREGISTERED')).toBe(1);
  });
});
