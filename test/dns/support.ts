import * as dnsPacket from 'dns-packet';
import { AllowlistReader, AllowlistTable, Profiles } from '../../src/allowlist/index.ts';
import {
  buildCatalog,
  type CatalogTables,
  CatalogView,
  type RegionOptions,
  Steering,
} from '../../src/catalog/index.ts';
import {
  type AnswererResolver,
  decide,
  type OpenNamesOptions,
  type Outcome,
  type QueryPolicy,
  QueryState,
  RateLimiter,
  type RateLimitOptions,
  TCP_TRAITS,
  type TransportTraits,
  UDP_TRAITS,
} from '../../src/dns/index.ts';
import type { Profile } from '../../src/feed/index.ts';
import { CounterBlock } from '../../src/metrics/index.ts';
import { parseAddress, prefixOf, readWord } from '../../src/net/index.ts';
import { AnswerCache, buildEntry, CacheReader } from '../../src/resolver/cache/index.ts';
import type { Resolved, ResolveRequest } from '../../src/resolver/index.ts';
import { parseQuestion, Question, RecordType } from '../../src/wire/index.ts';
import { service } from '../catalog/support.ts';

export const SEED = 0x5eed;
/** A registered home in the US, IPv4 and IPv6. */
export const HOME = '198.51.100.7';
export const HOME6 = '2001:db8:1:2::7';
/** From RFC 9018's examples. */
export const COOKIE_SECRET = Buffer.from('e5e973e5a6b2a43f48e7dc849e37bfcf', 'hex');
export const STRANGER = '203.0.113.9';
export const STRANGER6 = '2001:db8:ffff:1::9';

export const OPT_DEFAULTS = { udpPayloadSize: 1232, ednsVersion: 0, flags: 0, options: [] };

export interface QueryFields {
  id?: number;
  /** dns-packet's flags: RECURSION_DESIRED by default. */
  flags?: number;
  opt?: Partial<typeof OPT_DEFAULTS> | null;
  class?: string;
}

/** A query for `name`, case kept; type by name or number. */
export function query(
  name: string,
  type: keyof typeof RecordType | number = 'A',
  fields: QueryFields = {},
): Buffer {
  const { id = 0x1234, flags = dnsPacket.RECURSION_DESIRED, opt = null } = fields;
  const additionals = opt === null ? [] : [{ type: 'OPT', name: '.', ...OPT_DEFAULTS, ...opt }];
  const message = dnsPacket.encode({
    type: 'query',
    id,
    flags,
    questions: [{ name, type: 'A', class: (fields.class ?? 'IN') as 'IN' }],
    additionals: additionals as unknown as dnsPacket.Answer[],
  });
  const at = 12 + dnsPacket.encode({ questions: [{ name, type: 'A' }] }).length - 12 - 4;
  message.writeUInt16BE(typeof type === 'number' ? type : RecordType[type], at);
  return message;
}

/** A reply for assertions. */
export interface Seen {
  outcome: Outcome;
  /** Empty without a reply. */
  bytes: Buffer;
  /** Throws without a reply. */
  reply: dnsPacket.DecodedPacket & { flag_aa: boolean; flag_tc: boolean; flag_rd: boolean; flag_ra: boolean };
  /** The rcode, with OPT's upper bits. */
  rcode: number;
  /** Answer records, one line each: `www.example A 60 192.0.2.10`. */
  answers: string[];
  authorities: string[];
  /** Extended error, or null. */
  extendedError: number | null;
  hasOpt: boolean;
}

export interface EdgeParts {
  profile?: Partial<Profile>;
  unregistered?: 'refuse' | 'drop';
  rateLimit?: RateLimitOptions;
  openNames?: OpenNamesOptions;
  answerLimit?: QueryPolicy['answerLimit'];
  regions?: RegionOptions;
  cookieSecrets?: readonly Uint8Array[];
  discovery?: readonly Uint8Array[];
}

export const REGIONS = {
  us: {
    relays: [
      { address: '192.0.2.10', address6: '2001:db8::10' },
      { address: '192.0.2.11', weight: 3 },
    ],
  },
  gb: { relays: [{ address: '192.0.2.20' }] },
};

export function catalog(regions: RegionOptions = REGIONS): CatalogTables {
  const services = [
    service('netflix', { names: ['netflix.com'], exact: ['netflix.example.net'], regions: ['us', 'gb'] }),
    service('bbc', { names: ['bbc.co.uk'], regions: ['gb'] }),
  ];
  const { catalog, findings } = buildCatalog({ services, regions, defaultRegion: 'us', seed: SEED });
  if (catalog === null) throw new TypeError(JSON.stringify(findings));
  return catalog;
}

/** All tables of an edge, with HOME and HOME6 registered, without sockets. */
export class TestEdge {
  readonly catalog: CatalogTables;
  readonly steering: Steering;
  readonly table = new AllowlistTable();
  readonly profiles = new Profiles();
  readonly cache = new AnswerCache({ bytes: 1 << 20 });
  readonly counters = new CounterBlock();
  readonly rateLimit = RateLimiter.allocate();
  readonly rateLimitOptions: RateLimitOptions;
  readonly policy: QueryPolicy;
  readonly state: QueryState;
  nowMs = 1_000_000;
  /** Seconds since 1970. */
  unixSeconds = 1_559_731_985;

  constructor(parts: EdgeParts = {}) {
    this.catalog = catalog(parts.regions);
    this.steering = new Steering(this.catalog);
    this.profiles.onInterned((id, profile) => this.steering.setProfile(id, profile));
    this.rateLimitOptions = parts.rateLimit ?? { perSecond: 1000, burst: 100_000 };
    this.policy = {
      seed: SEED,
      answerTtlSeconds: 60,
      streamIdleSeconds: 10,
      unregistered: parts.unregistered ?? 'refuse',
      ...(parts.openNames && { openNames: parts.openNames }),
      ...(parts.answerLimit && { answerLimit: parts.answerLimit }),
      cookieSecrets: parts.cookieSecrets ?? [COOKIE_SECRET],
      discovery: parts.discovery ?? [],
    };
    this.register(HOME, parts.profile);
    this.register(HOME6, parts.profile);
    this.state = new QueryState(
      {
        allowlist: new AllowlistReader(this.table.handle()),
        catalog: new CatalogView(this.steering.handle()),
        cache: new CacheReader(this.cache.handle()),
        rateLimiter: new RateLimiter(this.rateLimit, this.rateLimitOptions, SEED),
        counters: this.counters,
      },
      this.policy,
      () => this.unixSeconds * 1000,
    );
    this.table.onReplaced((share) => this.state.allowlist.attach(share));
  }

  register(address: string, profile: Partial<Profile> = {}, length?: number): void {
    const parsed = parseAddress(address)!;
    const id = this.profiles.intern({ region: 'us', services: {}, ipv4: true, ipv6: true, ...profile });
    this.table.set(prefixOf(parsed, length ?? (parsed.family === 4 ? 32 : 64)), id);
  }

  unregister(address: string): void {
    const parsed = parseAddress(address)!;
    this.table.remove(prefixOf(parsed, parsed.family === 4 ? 32 : 64));
  }

  /** Stores an upstream's answer to `name` in the cache. */
  cacheAnswer(name: string, answers: dnsPacket.Answer[], fields: CacheFields = {}): void {
    this.cache.store(this.entry(name, answers, fields));
  }

  /** Cache entry of an upstream's answer, as the resolver would give it. */
  entry(name: string, answers: dnsPacket.Answer[], fields: CacheFields = {}): Uint8Array {
    const { rcode = 0, authorities = [], type = 'A', authenticData = false } = fields;
    const reply = dnsPacket.encode({
      type: 'response',
      flags: 0x80 | rcode | (authenticData ? dnsPacket.AUTHENTIC_DATA : 0),
      questions: [{ name, type }],
      answers,
      authorities,
    });
    const question = new Question();
    parseQuestion(reply, reply.length, SEED, question);
    const asked = {
      question,
      dnssecOk: fields.dnssecOk ?? false,
      checkingDisabled: fields.checkingDisabled ?? false,
    };
    return buildEntry(asked, reply, reply.length, this.nowMs)!.entry;
  }

  /** Decides a query from `source`. */
  ask(message: Uint8Array, source = HOME, traits: TransportTraits = UDP_TRAITS): Seen {
    const m = new Uint8Array(65_536).fill(0xee);
    m.set(message);
    const parsed = parseAddress(source)!;
    this.state.source.family = parsed.family;
    for (let i = 0; i < parsed.bytes.length / 4; i++)
      this.state.source.words[i] = readWord(parsed.bytes, i * 4);
    this.state.setTime(this.nowMs);
    const outcome = decide(this.state, m, message.length, traits);
    return seen(outcome, Buffer.from(m.subarray(0, this.state.replyLength)));
  }

  askTcp(message: Uint8Array, source = HOME): Seen {
    return this.ask(message, source, TCP_TRAITS);
  }
}

export interface CacheFields {
  rcode?: number;
  authorities?: dnsPacket.Answer[];
  type?: dnsPacket.RecordType;
  authenticData?: boolean;
  dnssecOk?: boolean;
  checkingDisabled?: boolean;
}

/** Parses a reply lazily: only `outcome` and `bytes` are read at once. */
export function seen(outcome: Outcome, bytes: Buffer): Seen {
  const decoded = (): Seen['reply'] => dnsPacket.decode(bytes) as Seen['reply'];
  const opt = (): OptRecord | undefined =>
    decoded().additionals?.find((record) => record.type === 'OPT') as OptRecord | undefined;
  return {
    outcome,
    bytes,
    get reply() {
      return decoded();
    },
    get rcode() {
      return ((opt()?.extendedRcode ?? 0) << 4) | (bytes[3] & 15);
    },
    get answers() {
      return lines(decoded().answers);
    },
    get authorities() {
      return lines(decoded().authorities);
    },
    get extendedError() {
      const option = opt()?.options.find(({ code }) => code === 15);
      return option === undefined ? null : option.data.readUInt16BE(0);
    },
    get hasOpt() {
      return opt() !== undefined;
    },
  };
}

interface OptRecord {
  extendedRcode: number;
  options: { code: number; data: Buffer }[];
}

function lines(records: dnsPacket.Answer[] | undefined): string[] {
  return (records ?? []).map((record) => {
    const { name, type, ttl, data } = record as { name: string; type: string; ttl: number; data: unknown };
    return `${name} ${type} ${ttl} ${typeof data === 'string' ? data : JSON.stringify(data)}`;
  });
}

export const a = (name: string, ttl: number, data: string): dnsPacket.Answer => ({
  type: 'A',
  name,
  ttl,
  data,
});

export const soa = (name: string, ttl: number): dnsPacket.Answer => ({
  type: 'SOA',
  name,
  ttl,
  data: { mname: 'ns', rname: 'root', serial: 1, refresh: 2, retry: 3, expire: 4, minimum: ttl },
});

/** A resolver that answers by a function. */
export function answering(
  resolve: (request: ResolveRequest) => Promise<Resolved>,
  refresh: (request: ResolveRequest) => void = () => {},
): AnswererResolver {
  return {
    refresh,
    ask: (request, waiter) =>
      void resolve(request).then(
        (resolved) => waiter.resolved(resolved),
        (fault) => waiter.failed(fault),
      ),
  };
}
