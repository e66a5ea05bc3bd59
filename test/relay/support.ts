/**
 * A relay with its tables, an upstream that answers as it is told, and origins on loopback addresses:
 *
 *     const bed = await RelayBed.start({ engine: 'epoll' });
 *     bed.register('127.0.0.9');
 *     bed.names.set('www.films.example', ['127.0.0.1']);
 *     const client = await bed.dial({ from: '127.0.0.9' });
 */
import { randomFillSync } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { AllowlistTable, type ProfileId } from '../../src/allowlist/index.ts';
import { buildCatalog, Steering } from '../../src/catalog/index.ts';
import { parseAddress, parseSocketAddress, registrationPrefix } from '../../src/net/index.ts';
import { RelayCounters, RelayOutcome, RelayServiceSlots } from '../../src/relay/counters.ts';
import {
  NO_OWN_NAMES,
  Relay,
  type RelayLimits,
  type RelayOptions,
  type RelayPolicy,
} from '../../src/relay/index.ts';
import { AnswerCache, parseUpstream, Resolver } from '../../src/resolver/index.ts';
import { monotonicClock } from '../../src/sys/index.ts';
import { service } from '../catalog/support.ts';
import { hello, inRecords } from '../net/hello/build.ts';
import { answer, FakeUpstream } from '../support/fake-upstream.ts';

const SEED = 4711;

export interface BedOptions {
  readonly engine?: RelayOptions['engine'];
  readonly limits?: Partial<RelayLimits>;
  readonly policy?: Partial<RelayPolicy>;
  readonly allowPrivate?: boolean;
  readonly originPort?: number | null;
  readonly tlsPort?: number;
  readonly quic?: readonly string[];
  readonly quicMode?: RelayOptions['quicMode'];
  readonly ownAddresses?: readonly string[];
  /** Addresses of the proxies' names. */
  readonly hosts?: Readonly<Record<string, readonly string[]>>;
  readonly onProxy?: RelayOptions['onProxy'];
  readonly takeOwn?: RelayOptions['takeOwn'];
}

export interface DialOptions {
  readonly from?: string;
  readonly protocol?: 'tls' | 'http';
  readonly allowHalfOpen?: boolean;
}

/** A socket and the bytes it received. */
export class Peer {
  readonly socket: Socket;
  received: Buffer = Buffer.alloc(0);
  /** The other side has ended. */
  ended = false;
  /** Resolves when closed, with `end` or the error's code. */
  readonly closed: Promise<string>;

  constructor(socket: Socket) {
    this.socket = socket;
    let how = 'end';
    socket.on('data', (chunk) => {
      this.received = Buffer.concat([this.received, chunk]);
    });
    socket.on('end', () => {
      this.ended = true;
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      how = error.code ?? 'unknown';
    });
    this.closed = new Promise((resolve) => socket.once('close', () => resolve(how)));
  }

  get text(): string {
    return this.received.toString('latin1');
  }

  /** Like `once`, but leaves a reset to `closed`. */
  private async event(name: 'data' | 'end'): Promise<void> {
    await once(this.socket, name).catch(() => {});
  }

  async until(done: (peer: Peer) => boolean): Promise<void> {
    while (!done(this)) {
      await Promise.race([this.event('data'), this.event('end'), this.closed]);
      if (this.socket.destroyed && !done(this)) throw new Error(`closed after ${this.received.length} bytes`);
    }
  }
}

/** An origin that keeps all its connections. */
export class Origin {
  readonly peers: Peer[] = [];
  readonly server: Server;
  private waiting: (() => void)[] = [];

  private constructor(onConnection: (peer: Peer) => void) {
    this.server = createServer({ allowHalfOpen: true }, (socket) => {
      const peer = new Peer(socket);
      this.peers.push(peer);
      onConnection(peer);
      for (const resolve of this.waiting.splice(0)) resolve();
    });
  }

  static async start(
    onConnection: (peer: Peer) => void = () => {},
    host = '127.0.0.1',
    port = 0,
  ): Promise<Origin> {
    const origin = new Origin(onConnection);
    origin.server.listen(port, host);
    await once(origin.server, 'listening');
    return origin;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  async peer(index: number): Promise<Peer> {
    while (this.peers.length <= index) await new Promise<void>((resolve) => this.waiting.push(resolve));
    return this.peers[index]!;
  }

  stop(): void {
    this.server.close();
    for (const { socket } of this.peers) socket.destroy();
  }
}

/** A hello for `name` in one record. */
export const helloFor = (name: string): Buffer => Buffer.from(inRecords(hello({ name })));

export class RelayBed {
  readonly names = new Map<string, readonly string[]>();
  /** TTL of the answers; 0: each connection asks again. */
  ttlSeconds = 300;
  /** Types that the relay asked its resolver for: what no thread found in the cache. */
  asked: readonly number[] = [];
  readonly relay: Relay;
  readonly upstream: FakeUpstream;
  private readonly resolver: Resolver;
  private readonly table: AllowlistTable;
  private readonly counters: RelayCounters[];

  private constructor(
    relay: Relay,
    upstream: FakeUpstream,
    resolver: Resolver,
    table: AllowlistTable,
    counters: RelayCounters[],
  ) {
    this.relay = relay;
    this.upstream = upstream;
    this.resolver = resolver;
    this.table = table;
    this.counters = counters;
    table.onReplaced((allowlist) => void relay.publish({ allowlist }));
    upstream.udp = (query, replier) => {
      const family = query.type === 'AAAA' ? 6 : 4;
      const known = this.names.get(query.name.toLowerCase()) ?? [];
      const data = known.filter((text) => (text.includes(':') ? 6 : 4) === family);
      const type = query.type as 'A' | 'AAAA';
      answer({
        answers: data.map((address) => ({ type, name: query.name, ttl: this.ttlSeconds, data: address })),
      })(query, replier);
    };
  }

  static async start(options: BedOptions = {}): Promise<RelayBed> {
    const { engine = 'auto', limits, policy, allowPrivate = true, originPort = null } = options;
    const upstream = await FakeUpstream.start();
    const now = monotonicClock();
    const cache = new AnswerCache({ bytes: 1 << 20, staleSeconds: 0 });
    const resolver = new Resolver({
      upstreams: [parseUpstream(upstream.url)],
      cache,
      now,
      fillRandom: randomFillSync,
      nameSeed: SEED,
    });
    const services = [service('films', { names: ['films.example'], exact: ['one.example'] })];
    const regions = { us: { relays: [{ address: '192.0.2.1' }] } };
    const { catalog } = buildCatalog({ services, regions, defaultRegion: 'us', seed: SEED, configFile: '' });
    const table = new AllowlistTable();
    const counters: RelayCounters[] = [];
    const asked: number[] = [];
    const relay = await Relay.start({
      tls: [parseSocketAddress(`127.0.0.1:${options.tlsPort ?? 0}`)!],
      http: [parseSocketAddress('127.0.0.1:0')!],
      quic: (options.quic ?? []).map((text) => parseSocketAddress(text)!),
      quicMode: options.quicMode ?? 'carry',
      engine,
      threads: 1,
      policy: {
        seed: SEED,
        limits: {
          connections: 5000,
          connectionsPerSource: 1000,
          strangerConnections: 100,
          newPerSecond: 10_000,
          newBurst: 10_000,
          bytesPerSecond: null,
          handshakeMs: 5000,
          idleMs: 60_000,
          quicIdleMs: 60_000,
          ...limits,
        },
        proxyProtocolFrom: [],
        probeSources: [],
        originPort,
        localAddresses: [],
        proxies: [],
        proxyProtocolTo: [],
        proxyProtocolVersion: 'v2',
        ownNames: NO_OWN_NAMES,
        ...policy,
      },
      tables: {
        allowlist: table.handle(),
        catalog: {
          handle: new Steering(catalog!).handle(),
          serviceSlots: new RelayServiceSlots().assign(['films']),
        },
        egress: { ownAddresses: options.ownAddresses ?? [], listeners: [], allowPrivate },
      },
      cache: cache.handle(),
      resolver: {
        resolve(question) {
          asked.push(question.type);
          return resolver.resolve(question);
        },
      },
      now,
      makeCounters() {
        const block = new RelayCounters();
        counters.push(block);
        return block;
      },
      lookup: async (host) => options.hosts?.[host]?.map((text) => parseAddress(text)!) ?? [],
      onProxy: options.onProxy ?? (() => {}),
      takeOwn: options.takeOwn ?? ((_protocol, socket) => socket.destroy()),
      onFailure(error) {
        throw error;
      },
    });
    const bed = new RelayBed(relay, upstream, resolver, table, counters);
    bed.asked = asked;
    return bed;
  }

  register(text: string): void {
    this.table.set(registrationPrefix(parseAddress(text)!), 1 as ProfileId);
  }

  unregister(text: string): void {
    this.table.remove(registrationPrefix(parseAddress(text)!));
  }

  async dial({
    from = '127.0.0.9',
    protocol = 'tls',
    allowHalfOpen = true,
  }: DialOptions = {}): Promise<Peer> {
    const { relay } = this;
    const { port } = (protocol === 'tls' ? relay.tlsAddresses : relay.httpAddresses)[0]!;
    const socket = connect({ host: '127.0.0.1', port, localAddress: from, allowHalfOpen });
    const peer = new Peer(socket);
    await once(socket, 'connect');
    return peer;
  }

  /** Connections with that outcome, over all services. */
  count(outcome: keyof typeof RelayOutcome): number {
    return this.sum((block, slot) => block.outcome(slot, RelayOutcome[outcome]));
  }

  get open(): number {
    return this.sum((block, slot) => block.open(slot));
  }

  /** Bytes that the relay has read from both sides. */
  get carried(): number {
    return this.sum((block, slot) => block.bytes(slot, 0) + block.bytes(slot, 1));
  }

  async stop(): Promise<void> {
    await this.relay.close();
    await this.resolver.close();
    await this.upstream.stop();
  }

  private sum(read: (block: RelayCounters, slot: number) => number): number {
    return this.counters.reduce((total, block) => total + read(block, 0) + read(block, 1), 0);
  }
}
