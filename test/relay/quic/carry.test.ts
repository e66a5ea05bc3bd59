import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { parseProxyUrl } from '../../../src/net/index.ts';
import { RelayOutcome } from '../../../src/relay/counters.ts';
import { POST_QUANTUM } from '../../net/hello/build.ts';
import { until } from '../../support/until.ts';
import { type BedOptions, RelayBed } from '../support.ts';
import {
  crypto,
  id,
  initial,
  Kind,
  longPacket,
  opening,
  openPacket,
  openServerInitial,
  short,
  VERSION_1,
  VERSION_2,
} from './build.ts';
import { closeParties, Party } from './support.ts';

const HOME = '127.0.0.9';
const OTHER_HOME = '127.0.0.10';
const STRANGER = '127.0.0.66';
const NAME = 'www.films.example';
type Outcome = Parameters<RelayBed['count']>[0];

let bed: RelayBed;
let origin: Party;
let client: Party;
/** Fresh connection ids: the client's first choice, and two of the origin's. */
let FIRST: Buffer;
let ORIGIN_ID: Buffer;
let NEXT_ORIGIN_ID: Buffer;
let before: { readonly counts: ReadonlyMap<Outcome, number>; readonly open: number };

async function start(options: BedOptions): Promise<void> {
  origin = await Party.on('127.0.0.1');
  bed = await RelayBed.start({ quic: ['127.0.0.1:0'], originPort: origin.port, ...options });
  bed.names.set(NAME, ['127.0.0.1']);
  await begin();
}

/** Prepares a test on a relay that other tests have used. */
async function begin(): Promise<void> {
  for (const home of [HOME, OTHER_HOME]) bed.register(home);
  [FIRST, ORIGIN_ID, NEXT_ORIGIN_ID] = [randomBytes(8), randomBytes(8), randomBytes(8)];
  client = await Party.on(HOME);
  origin.arrivals.length = 0;
  const outcomes = Object.keys(RelayOutcome) as Outcome[];
  before = { counts: new Map(outcomes.map((outcome) => [outcome, bed.count(outcome)])), open: bed.open };
}

async function stop(): Promise<void> {
  closeParties();
  await bed.stop();
}

/** Connections of this test with that outcome, and open ones. */
const counted = (outcome: Outcome) => bed.count(outcome) - before.counts.get(outcome)!;
const open = () => bed.open - before.open;

const send = (bytes: Uint8Array, from = client) => from.send(bytes, bed.relay.quicAddresses[0]!.port);

/** Sends a datagram that is answered at once: everything sent before has then been handled. */
async function settle(): Promise<void> {
  const probe = openPacket(Kind.INITIAL, { version: 0x0badf00d, destination: id('12345678') }, '').toString(
    'latin1',
  );
  const from = await Party.on(OTHER_HOME);
  await send(id(probe.padEnd(1200, 'x')), from);
  await from.arrival(0);
  from.close();
}

/** Opens a carried connection whose origin issued `originId`. Returns the port that the origin sees. */
async function carried({ originId = ORIGIN_ID, firstId = FIRST } = {}): Promise<number> {
  const asked = origin.arrivals.length;
  const got = client.arrivals.length;
  await send(opening(NAME, { destination: firstId })[0]!);
  const { port } = await origin.arrival(asked);
  await origin.send(
    longPacket(Kind.HANDSHAKE, { destination: id('client01'), source: originId }, 'hi'),
    port,
  );
  await client.arrival(got);
  return port;
}

describe('QUIC', () => {
  beforeAll(() => start({}));
  beforeEach(begin);
  afterAll(stop);

  it.each([
    ['1', VERSION_1],
    ['2', VERSION_2],
  ])('of version %s reaches the origin unchanged, and its answers reach the client', async (_, version) => {
    const [datagram] = opening(NAME, { version, destination: FIRST });
    await send(datagram!);
    const arrival = await origin.arrival(0);
    expect(arrival.bytes.equals(datagram!)).toBe(true);
    const answers = [
      longPacket(Kind.HANDSHAKE, { version, destination: id('client01'), source: ORIGIN_ID }, 'certificate'),
      short(id('client01'), 'a stream'),
    ];
    for (const answer of answers) await origin.send(answer, arrival.port);
    await client.arrival(1);
    expect(client.texts).toEqual(answers.map((answer) => answer.toString('latin1')));
    expect(client.arrivals[0]!.port).toBe(bed.relay.quicAddresses[0]!.port);
    await send(short(ORIGIN_ID, 'a request'));
    expect(await origin.arrival(1)).toEqual({ bytes: short(ORIGIN_ID, 'a request'), port: arrival.port });
    expect(open()).toBe(1);
  });

  it('starts once the name is complete, from a hello in several packets in any order', async () => {
    const pieces = opening(NAME, { destination: FIRST, pieces: 3, extensions: [POST_QUANTUM] });
    const order = [pieces[2]!, pieces[0]!, pieces[1]!];
    for (const datagram of order.slice(0, 2)) await send(datagram);
    await settle();
    expect(origin.arrivals).toEqual([]);
    await send(order[2]!);
    await origin.arrival(2);
    expect(origin.texts).toEqual(order.map((datagram) => datagram.toString('latin1')));
    expect(new Set(origin.arrivals.map(({ port }) => port)).size).toBe(1);
  });

  it("carries 0-RTT in the Initial's datagram or before it", async () => {
    const early = longPacket(Kind.ZERO_RTT, { destination: FIRST }, 'early data');
    const [first] = opening(NAME, { destination: FIRST, size: 1190 });
    const both = Buffer.concat([first!, early]);
    await send(early);
    await send(both);
    await origin.arrival(1);
    expect(origin.texts).toEqual([early, both].map((datagram) => datagram.toString('latin1')));
  });

  it("continues after a Retry, with the Retry's connection id", async () => {
    await send(opening(NAME, { destination: FIRST })[0]!);
    const { port } = await origin.arrival(0);
    const retryId = randomBytes(8);
    const retry = openPacket(
      Kind.RETRY,
      { destination: id('client01'), source: retryId },
      'token and integrity tag',
    );
    await origin.send(retry, port);
    expect((await client.arrival(0)).bytes.equals(retry)).toBe(true);
    const [again] = opening(NAME, { destination: retryId, token: id('token') });
    await send(again!);
    expect(await origin.arrival(1)).toEqual({ bytes: again, port });
    expect(open()).toBe(1);
  });

  it("carries the origin's Version Negotiation", async () => {
    await send(opening(NAME, { destination: FIRST })[0]!);
    const { port } = await origin.arrival(0);
    const negotiation = openPacket(
      Kind.INITIAL,
      { version: 0, destination: id('client01'), source: FIRST },
      'vers',
    );
    await origin.send(negotiation, port);
    expect((await client.arrival(0)).bytes.equals(negotiation)).toBe(true);
  });

  it('follows a client to another port and to another registered address', async () => {
    const relayPort = await carried();
    const moved = await Party.on(HOME);
    await send(short(ORIGIN_ID, 'from another port'), moved);
    expect((await origin.arrival(1)).port).toBe(relayPort);
    await origin.send(short(id('client01'), 'to there'), relayPort);
    expect((await moved.arrival(0)).bytes.equals(short(id('client01'), 'to there'))).toBe(true);
    const abroad = await Party.on(OTHER_HOME);
    await send(short(ORIGIN_ID, 'from another address'), abroad);
    expect((await origin.arrival(2)).port).toBe(relayPort);
    await origin.send(short(id('client01'), 'to here'), relayPort);
    expect((await abroad.arrival(0)).bytes.equals(short(id('client01'), 'to here'))).toBe(true);
    expect([open(), client.arrivals.length, moved.arrivals.length]).toEqual([1, 1, 1]);
    bed.unregister(HOME);
    await send(short(ORIGIN_ID, 'its old address is nobody now'), abroad);
    await origin.arrival(3);
  });

  it('follows no client to an unregistered address', async () => {
    const relayPort = await carried();
    const stranger = await Party.on(STRANGER);
    await send(short(ORIGIN_ID, 'from a stranger'), stranger);
    await send(longPacket(Kind.HANDSHAKE, { destination: ORIGIN_ID }, 'too'), stranger);
    await settle();
    expect(origin.arrivals.length).toBe(1);
    await origin.send(short(id('client01'), 'to the client'), relayPort);
    await client.arrival(1);
    expect(stranger.arrivals).toEqual([]);
  });

  it('with short, guessable ids follows a client to another port but not to another address', async () => {
    const four = randomBytes(4);
    const relayPort = await carried({ originId: four });
    const [moved, abroad] = [await Party.on(HOME), await Party.on(OTHER_HOME)];
    await send(short(four, 'from another address'), abroad);
    await settle();
    expect(origin.arrivals.length).toBe(1);
    await send(short(four, 'from another port'), moved);
    expect((await origin.arrival(1)).port).toBe(relayPort);
  });

  it('finds a client by its new connection id', async () => {
    const relayPort = await carried();
    await send(short(NEXT_ORIGIN_ID, 'under another id'));
    await origin.arrival(1);
    const moved = await Party.on(HOME);
    await send(short(NEXT_ORIGIN_ID, 'from another port'), moved);
    expect((await origin.arrival(2)).port).toBe(relayPort);
    await send(short(randomBytes(8), 'under an id that nobody has seen'), await Party.on(HOME));
    await settle();
    expect(origin.arrivals.length).toBe(3);
  });

  it('keeps connections of one socket apart', async () => {
    const one = await carried();
    const two = await carried({ originId: NEXT_ORIGIN_ID, firstId: randomBytes(8) });
    expect(two).not.toBe(one);
    await send(short(ORIGIN_ID, 'one'));
    await send(short(NEXT_ORIGIN_ID, 'two'));
    await send(longPacket(Kind.HANDSHAKE, { destination: ORIGIN_ID }, 'one'));
    await origin.arrival(4);
    expect(origin.arrivals.slice(2).map(({ port }) => port)).toEqual([one, two, one]);
    expect(open()).toBe(2);
  });

  it('tries the next address with all datagrams so far if one refuses or does not answer', async () => {
    const silent = await Party.on('127.0.0.2', origin.port);
    bed.names.set(`many.${NAME}`, ['::1', '127.0.0.2', '127.0.0.1']);
    const pieces = opening(`many.${NAME}`, { destination: FIRST, pieces: 2, extensions: [POST_QUANTUM] });
    for (const piece of pieces) await send(piece);
    const { port } = await origin.arrival(1);
    expect(origin.texts).toEqual(pieces.map((piece) => piece.toString('latin1')));
    await silent.arrival(1);
    await origin.send(short(id('client01'), 'here'), port);
    await client.arrival(0);
    await send(short(ORIGIN_ID, 'to the one that answered'));
    await origin.arrival(2);
    expect(silent.arrivals.length).toBe(2);
  });

  it('answers from the local address that was asked, IPv4 and IPv6', async () => {
    const both = await RelayBed.start({ quic: ['127.0.0.1:0', '[::1]:0'], originPort: origin.port });
    both.register('::1');
    both.names.set(NAME, ['127.0.0.1']);
    const { port } = both.relay.quicAddresses[1]!;
    const six = await Party.on('::1');
    await six.send(opening(NAME, { destination: FIRST })[0]!, port, '::1');
    const arrival = await origin.arrival(0);
    await origin.send(short(id('client01'), 'by IPv6'), arrival.port);
    expect((await six.arrival(0)).port).toBe(port);
    await both.stop();
  });

  it("drops strangers' datagrams silently", async () => {
    const stranger = await Party.on(STRANGER);
    await send(opening(NAME, { destination: FIRST })[0]!, stranger);
    await send(
      id(`${openPacket(Kind.INITIAL, { version: 77, destination: FIRST }, '')}`.padEnd(1200)),
      stranger,
    );
    await settle();
    expect([stranger.arrivals, origin.arrivals, counted('UNREGISTERED')]).toEqual([[], [], 2]);
  });

  it.each([
    ['an unlisted name', 'UNLISTED', 'www.example'],
    ['a name that ends like a listed one', 'UNLISTED', 'evil-films.example'],
    ['a listed name without an address', 'UNRESOLVED', 'nowhere.films.example'],
    ['a listed name at the metadata address', 'FORBIDDEN', 'metadata.films.example'],
    ['a listed name where nobody is', 'UNREACHABLE', 'nobody.films.example'],
  ] as const)('refuses a client of %s at once', async (_, outcome, name) => {
    bed.names.set('metadata.films.example', ['169.254.169.254']);
    bed.names.set('nobody.films.example', ['127.0.0.3']);
    await send(opening(name, { destination: FIRST })[0]!);
    const { bytes } = await client.arrival(0);
    expect(openServerInitial(bytes, VERSION_1, FIRST).frames.toString('hex')).toBe('1c020000');
    expect([origin.arrivals, counted(outcome), open()]).toEqual([[], 1, 0]);
  });

  it.each([
    ['an IPv4 address as its name', () => opening('127.0.0.1', { destination: FIRST })[0]!],
    ['a dot at the end of its name', () => opening(`${NAME}.`, { destination: FIRST })[0]!],
    ['other keys', () => opening(NAME, { destination: FIRST, firstId: id('other-id') })[0]!],
    ['another message', () => initial({ destination: FIRST, frames: crypto(0, Uint8Array.of(2, 0, 0, 0)) })],
  ])('drops a connection with %s', async (_, datagram) => {
    await send(datagram());
    await settle();
    expect([origin.arrivals, client.arrivals, counted('MALFORMED')]).toEqual([[], [], 1]);
  });

  it.each([
    ['an Initial that is not padded', () => opening(NAME, { destination: FIRST, size: 0 })[0]!],
    ['an id of fewer bytes than RFC 9000 has', () => opening(NAME, { destination: id('seven77') })[0]!],
    ['a Handshake out of nowhere', () => longPacket(Kind.HANDSHAKE, { destination: FIRST }, 'x')],
    ['a short header out of nowhere', () => short(FIRST, 'x')],
    ['a Version Negotiation', () => openPacket(Kind.INITIAL, { version: 0, destination: FIRST }, 'vers')],
    ['a cut header', () => Buffer.of(0xc0, 0, 0, 0, 1, 20)],
    ['one byte', () => Buffer.of(0xc0)],
    ['no byte', () => Buffer.alloc(0)],
  ])('drops %s', async (_, datagram) => {
    await send(datagram());
    await settle();
    expect([origin.arrivals, client.arrivals, open()]).toEqual([[], [], 0]);
  });

  it('offers its versions to a client of an unknown one, in fewer bytes than it received', async () => {
    const [destination, source] = [randomBytes(64), randomBytes(5)];
    const packet = openPacket(Kind.INITIAL, { version: 0xff00001d, destination, source }, '');
    await send(packet);
    await send(Buffer.concat([packet, Buffer.alloc(1200 - packet.length)]));
    const { bytes } = await client.arrival(0);
    expect(bytes.readUInt32BE(1)).toBe(0);
    const ids = Buffer.concat([Buffer.of(source.length), source, Buffer.of(destination.length), destination]);
    expect(bytes.subarray(5).equals(Buffer.concat([ids, Buffer.from('000000016b3343cf', 'hex')]))).toBe(true);
    await settle();
    expect(client.arrivals.length).toBe(1);
  });

  it('ends within a second of its registration, and no other connection does', async () => {
    bed.register('127.0.0.11');
    client = await Party.on('127.0.0.11');
    const relayPort = await carried();
    const neighbour = await Party.on(OTHER_HOME);
    await send(opening(NAME, { destination: randomBytes(9) })[0]!, neighbour);
    const { port } = await origin.arrival(1);
    await origin.send(short(id('client01'), 'hi'), port);
    await neighbour.arrival(0);
    bed.unregister('127.0.0.11');
    await until(() => counted('REVOKED') === 1, 'it has ended');
    await origin.send(short(id('client01'), 'nobody gets this'), relayPort).catch(() => {});
    await origin.send(short(id('client01'), 'still there'), port);
    await neighbour.arrival(1);
    expect([client.arrivals.length, open()]).toEqual([1, 1]);
  });

  it('survives arbitrary datagrams and carries none of them', async () => {
    const [whole] = opening(NAME, { destination: FIRST });
    const garbage = fc.oneof(
      fc.uint8Array({ maxLength: 1300 }),
      fc
        .tuple(fc.nat(whole!.length - 1), fc.integer({ min: 1, max: 255 }))
        .map(([at, flip]) => Uint8Array.from(whole!, (byte, i) => (i === at ? byte ^ flip : byte))),
      fc.nat(whole!.length - 1).map((length) => whole!.subarray(0, length)),
    );
    await fc.assert(
      fc.asyncProperty(garbage, async (bytes) => send(bytes)),
      { numRuns: 300 },
    );
    await settle();
    expect([origin.arrivals, open()]).toEqual([[], 0]);
    // On a connection they belong to it: to its origin, its client, and nobody else.
    const relayPort = await carried({ firstId: randomBytes(8) });
    const stranger = await Party.on(STRANGER);
    const part = fc.oneof(
      garbage.filter((bytes) => bytes.length > 0),
      fc
        .uint8Array({ minLength: 1, maxLength: 60 })
        .map((bytes) => Buffer.concat([Buffer.of(0x41), ORIGIN_ID, bytes])),
    );
    await fc.assert(
      fc.asyncProperty(part, fc.boolean(), async (bytes, down) => {
        await (down ? origin.send(bytes, relayPort) : send(bytes));
        await send(bytes, stranger);
      }),
      { numRuns: 100 },
    );
    await settle();
    expect([stranger.arrivals, open() > 0]).toEqual([[], true]);
  });
});

describe('a QUIC relay with limits', () => {
  afterEach(stop);

  it('drops a connection that names no origin in time', async () => {
    await start({ limits: { handshakeMs: 100 } });
    const pieces = opening(NAME, { destination: FIRST, pieces: 2, extensions: [POST_QUANTUM] });
    await send(pieces[0]!);
    await until(() => counted('TIMEOUT') === 1, 'it has ended');
    await send(pieces[1]!);
    await settle();
    expect([origin.arrivals, client.arrivals]).toEqual([[], []]);
  });

  it('bounds what it holds before a connection is carried', async () => {
    await start({ limits: { handshakeMs: 10_000 } });
    const early = longPacket(Kind.ZERO_RTT, { destination: FIRST }, 'x'.repeat(1300));
    for (let i = 0; i < 100; i++) await send(early);
    await settle();
    await send(opening(NAME, { destination: FIRST })[0]!);
    await settle();
    // No room is left for the Initial, and without it the origin is unknown.
    expect([origin.arrivals, open()]).toEqual([[], 0]);
    await send(opening(NAME, { destination: id('second-id') })[0]!);
    await origin.arrival(0);
  });

  it('ends an idle connection', async () => {
    await start({ limits: { quicIdleMs: 300 } });
    await carried();
    await send(short(ORIGIN_ID, 'from the client'));
    await until(() => counted('IDLE') === 1, 'it has ended');
    expect(open()).toBe(0);
  });

  it('ends an unconfirmed connection sooner, as its source may be forged', async () => {
    await start({ limits: { handshakeMs: 300 } });
    const confirmed = await carried();
    await send(short(ORIGIN_ID, 'from the client'));
    await origin.arrival(1);
    await send(opening(NAME, { destination: NEXT_ORIGIN_ID })[0]!);
    const { port } = await origin.arrival(2);
    await origin.send(
      longPacket(Kind.HANDSHAKE, { destination: id('client01'), source: id('12345') }, ''),
      port,
    );
    await client.arrival(1);
    await send(longPacket(Kind.HANDSHAKE, { destination: id('54321') }, 'a guess'));
    await until(() => counted('IDLE') === 1, 'it has ended');
    await origin.send(short(id('client01'), 'the other one stays'), confirmed);
    await client.arrival(2);
    expect(open()).toBe(1);
  });

  it('limits the connections of a source', async () => {
    await start({ limits: { connectionsPerSource: 2 } });
    for (const text of ['first-id', 'secondid', 'third-id']) {
      await send(opening(NAME, { destination: id(text) })[0]!);
    }
    await settle();
    await origin.arrival(1);
    expect([counted('LIMITED'), origin.arrivals.length]).toEqual([1, 2]);
  });

  it('limits the rate of a source', async () => {
    await start({ limits: { newPerSecond: 1, newBurst: 2 } });
    const openings = ['first-id', 'secondid', 'third-id', 'fourthid'].map((text) => id(text));
    await Promise.all(openings.map((destination) => send(opening(NAME, { destination })[0]!)));
    await until(() => counted('LIMITED') >= 1, 'it is held');
    expect(counted('LIMITED')).toBeLessThanOrEqual(2);
  });

  it('refuses connections past the total at once', async () => {
    await start({ limits: { connections: 1 } });
    await carried();
    const other = await Party.on(OTHER_HOME);
    await send(opening(NAME, { destination: id('second-id') })[0]!, other);
    const { bytes } = await other.arrival(0);
    expect(openServerInitial(bytes, VERSION_1, id('second-id')).frames.toString('hex')).toBe('1c020000');
    expect(counted('LIMITED')).toBe(1);
  });

  it('spreads a burst over its byte rate', async () => {
    await start({ limits: { bytesPerSecond: 100_000 } });
    const port = await carried();
    const startedAt = performance.now();
    for (let i = 0; i < 70; i++) await origin.send(short(id('client01'), 'x'.repeat(600)), port);
    // A quarter of a second's bytes may pass at once.
    await client.arrival(70);
    expect(performance.now() - startedAt).toBeGreaterThan(80);
  });

  it('refuses new connections past proxies, which carry TCP only, and lets open ones go on', async () => {
    await start({});
    const port = await carried();
    await bed.relay.useProxies([parseProxyUrl('socks5://127.0.0.1:1')!]);
    await send(opening(NAME, { destination: id('second-id') })[0]!);
    await until(() => client.arrivals.length > 1, 'the refusal');
    const { frames } = openServerInitial(client.arrivals[1]!.bytes, VERSION_1, id('second-id'));
    expect(frames.toString('hex')).toBe('1c020000');
    const rest = short(id('client01'), 'the rest');
    await origin.send(rest, port);
    await client.arrival(2);
    expect(client.arrivals[2]!.bytes.equals(rest)).toBe(true);
    await bed.relay.useProxies([]);
    await settle();
    await send(opening(NAME, { destination: id('third-id') })[0]!);
    await origin.arrival(1);
  });

  it('while draining refuses new connections and lets open ones end', async () => {
    await start({});
    const port = await carried();
    const drained = bed.relay.drain(10_000);
    const rest = short(id('client01'), 'the rest');
    await origin.send(rest, port);
    await send(opening(NAME, { destination: id('second-id') })[0]!);
    await client.arrival(2);
    const refused = client.arrivals.slice(1).find(({ bytes }) => !bytes.equals(rest))!;
    const { frames } = openServerInitial(refused.bytes, VERSION_1, id('second-id'));
    expect(frames.toString('hex')).toBe('1c020000');
    await drained;
    expect([counted('IDLE'), open()]).toEqual([1, 0]);
  });
});

describe('a relay that refuses QUIC', () => {
  beforeAll(() => start({ quicMode: 'refuse' }));
  afterAll(stop);

  it.each([
    ['1', VERSION_1],
    ['2', VERSION_2],
  ])('closes a connection of version %s at once, in fewer bytes than it received', async (_, version) => {
    const own = await Party.on(HOME);
    await send(opening(NAME, { version, destination: FIRST, source: id('me') })[0]!, own);
    const { bytes } = await own.arrival(0);
    expect(bytes.length).toBeLessThan(100);
    const opened = openServerInitial(bytes, version, FIRST);
    expect(opened).toMatchObject({ version, length: bytes.length - 17 - 2 - 8 + 8 });
    expect(opened.destination.equals(id('me'))).toBe(true);
    // CONNECTION_CLOSE: CONNECTION_REFUSED (RFC 9000, 20.1).
    expect(opened.frames.toString('hex')).toBe('1c020000');
  });

  it('offers a client of an unknown version a reserved one only', async () => {
    const own = await Party.on(HOME);
    const packet = openPacket(Kind.INITIAL, { version: 77, destination: FIRST, source: id('me') }, '');
    await send(Buffer.concat([packet, Buffer.alloc(1200)]), own);
    const { bytes } = await own.arrival(0);
    // Versions 0x?a?a?a?a are reserved (RFC 9000 section 15).
    expect(bytes.readUInt32BE(bytes.length - 4) & 0x0f0f0f0f).toBe(0x0a0a0a0a);
  });

  it('answers neither strangers nor anything but Initials', async () => {
    const [stranger, own] = [await Party.on(STRANGER), await Party.on(HOME)];
    await send(opening(NAME, { destination: FIRST })[0]!, stranger);
    for (const bytes of [
      opening(NAME, { destination: FIRST, size: 0 })[0]!,
      longPacket(Kind.ZERO_RTT, { destination: FIRST }, 'x'.repeat(1200)),
      short(FIRST, 'x'.repeat(1200)),
    ]) {
      await send(bytes, own);
    }
    await settle();
    expect([stranger.arrivals, own.arrivals, origin.arrivals]).toEqual([[], [], []]);
  });
});
