import type { XStatic } from 'typebox/schema';
import { type FormatName, REGION_PATTERN } from './formats.ts';

/**
 * Node of the configuration's schema: the JSON Schema keywords that the reader knows. Nodes are plain objects, and
 * TypeBox gives only their static type: its builder functions would load 24 MB into every process.
 */
export interface SchemaNode {
  readonly type?:
    | 'object'
    | 'array'
    | 'string'
    | 'integer'
    | 'boolean'
    | 'null'
    | readonly ['string', 'null'];
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly patternProperties?: Readonly<Record<string, SchemaNode>>;
  readonly items?: SchemaNode;
  readonly uniqueItems?: boolean;
  readonly anyOf?: readonly SchemaNode[];
  readonly const?: string;
  readonly enum?: readonly string[];
  /** For text: one of FORMATS. For integers: `size`, which allows `64MiB`. */
  readonly format?: FormatName | 'size';
  readonly minimum?: number;
  readonly maximum?: number;
  readonly default?: unknown;
  /** Never shown in an error. */
  readonly writeOnly?: boolean;
  /** The key works for one more release, with a warning: what to do instead, such as `use dns.unregistered`. */
  readonly deprecated?: string;
}

const MIB = 2 ** 20;
const DAY_SECONDS = 86_400;
// RFC 8767, section 4 (updating RFC 1035's TTL): caps on the order of days to weeks, 7 days suggested.
const WEEK_SECONDS = 7 * DAY_SECONDS;

const section = <const P extends Record<string, SchemaNode>>(properties: P) => ({
  type: 'object' as const,
  properties,
});
const optionalInteger = (minimum: number, maximum: number) => ({
  anyOf: [{ type: 'integer' as const, minimum, maximum }, { type: 'null' as const }],
  default: null,
});

const integer = (minimum: number, maximum: number, byDefault: number) => ({
  type: 'integer' as const,
  minimum,
  maximum,
  default: byDefault,
});
const flag = (byDefault: boolean) => ({ type: 'boolean' as const, default: byDefault });
const choice = <const V extends readonly string[]>(values: V, byDefault: V[number]) => ({
  enum: values,
  default: byDefault,
});
const text = (format: FormatName, byDefault: string) => ({
  type: 'string' as const,
  format,
  default: byDefault,
});
const optional = (format: FormatName) => ({
  type: ['string', 'null'] as const,
  format,
  default: null,
});
const list = (format: FormatName, byDefault: readonly string[] = []) => ({
  type: 'array' as const,
  items: { type: 'string' as const, format },
  uniqueItems: true,
  default: byDefault,
});
const secret = <const N extends SchemaNode>(node: N) => ({ ...node, writeOnly: true as const });
/** List whose items are secret too. */
const secretList = (format: FormatName) => {
  const { items, ...others } = list(format);
  return secret({ ...others, items: secret(items) });
};

const relay = section({
  address: optional('ipv4-address'),
  address6: optional('ipv6-address'),
  weight: integer(0, 1_000_000, 1),
  group: optional('id'),
});

const dns = section({
  udp: list('socket-address', ['127.0.0.1:5300']),
  tcp: list('socket-address', ['127.0.0.1:5300']),
  tls: list('socket-address'),
  https: list('socket-address'),
  workers: { anyOf: [{ const: 'auto' }, { type: 'integer', minimum: 1, maximum: 64 }], default: 'auto' },
  engine: choice(['auto', 'mmsg', 'dgram', 'af-xdp'], 'auto'),
  xdp: section({
    interface: optional('interface-name'),
    mode: choice(['auto', 'driver', 'generic'], 'auto'),
    queues: { anyOf: [{ const: 'auto' }, { type: 'integer', minimum: 1, maximum: 256 }], default: 'auto' },
  }),
  unregistered: choice(['refuse', 'drop'], 'refuse'),
  rateLimit: section({
    perSecond: integer(1, 1_000_000, 20),
    burst: integer(1, 1_000_000, 100),
  }),
  // Refusing or dropping a packet in a thread costs about 4 us of a processor: 20,000 packets/s are 8 % of one, the
  // sample 2 %.
  shield: section({
    mode: choice(['auto', 'on', 'off'], 'auto'),
    engagePerSecond: integer(1, 100_000_000, 20_000),
    samplePerSecond: integer(1, 100_000_000, 5000),
    holdSeconds: integer(1, 3600, 10),
  }),
  // UDP answers to one prefix, per second and in a burst: about 2,900 answers of 90 bytes a second. A burst holds one answer.
  answerLimit: section({
    bytesPerSecond: integer(1, 1_000_000_000, 262_144),
    burstBytes: integer(2048, 1_000_000_000, 1_048_576),
  }),
  // RFC 9210, section 4.2 requires configurable limits of each kind. A source is often a whole home or a carrier's NAT
  // with a connection per device, so its share is much looser than one client's (RFC 7766, section 6.2.2). RFC 7766,
  // section 6.2.3: idle for a few seconds. 4,096 connections take some tens of MB and fit the usual limit of open files.
  // Unregistered sources can have bootstrap names only and share an eighth.
  tcpLimits: section({
    connections: integer(1, 1_000_000, 4096),
    connectionsPerSource: integer(1, 1_000_000, 64),
    strangerConnections: integer(1, 1_000_000, 512),
    idleSeconds: integer(1, 600, 10),
    queriesPerConnection: integer(1, 1_000_000, 1000),
  }),
  // Longer than routes and balancers take to notice /readyz.
  lameDuckSeconds: integer(0, 3600, 0),
  bootstrapNames: list('host-name'),
  testZone: optional('host-name'),
  cookieSecrets: secretList('cookie-secret'),
  proxyProtocolFrom: list('prefix'),
});

const operatorKey = section({
  id: optional('id'),
  key: secret(text('operator-key', '')),
  scope: choice(['admin'], 'admin'),
});

const control = section({
  listen: list('socket-address', ['127.0.0.1:8080']),
  publicUrl: text('http-url', 'http://127.0.0.1:8080'),
  familyUrls: section({ ipv4: optional('http-url'), ipv6: optional('http-url') }),
  // Addresses for the self-test's names. Edges answer those names without resolving anything.
  addresses: list('address'),
  dnsAddresses: list('address'),
  adminKey: secret(text('admin-key', '')),
  // Several at a time, so that one can be replaced while both are valid.
  keys: { type: 'array', items: operatorKey, default: [] },
  trustedProxies: list('prefix'),
  // Hosts report their own addresses, which then cannot be registered. A stolen host must not name homes.
  fleetPrefixes: list('prefix'),
});

// A home's devices share one address, and a carrier's NAT many homes, so a source's share is loose; a player opens dozens
// of connections at once. Proxies commonly allow a tunnel ten minutes of silence. The end of a QUIC connection is
// encrypted, so only silence shows it: RFC 4787, REQ-5 keeps a UDP mapping for at least two minutes.
const relayLimits = section({
  connections: integer(1, 1_000_000, 10_000),
  strangerConnections: integer(1, 1_000_000, 256),
  connectionsPerSource: integer(1, 1_000_000, 512),
  newPerSecond: integer(1, 1_000_000, 50),
  newBurst: integer(1, 1_000_000, 250),
  handshakeSeconds: integer(1, 60, 5),
  idleSeconds: integer(1, 86_400, 600),
  quicIdleSeconds: integer(1, 86_400, 120),
  bytesPerSecond: {
    anyOf: [
      { type: 'integer', format: 'size', minimum: 16_384, maximum: 1024 * 1024 * MIB },
      { type: 'null' },
    ],
    default: null,
  },
});

const egress = secret({
  anyOf: [
    secret({ type: 'string', format: 'egress' }),
    { type: 'array', items: secret({ type: 'string', format: 'proxy' }), uniqueItems: true },
    section({
      localAddress: {
        anyOf: [
          { type: 'string', format: 'address' },
          { type: 'array', items: { type: 'string', format: 'address' }, uniqueItems: true },
        ],
        default: [],
      },
    }),
  ],
  default: 'direct',
});

const relayRole = section({
  tls: list('socket-address'),
  http: list('socket-address'),
  quic: list('socket-address'),
  quicMode: choice(['carry', 'refuse'], 'carry'),
  region: optional('id'),
  egress,
  probeSources: list('prefix'),
  proxyProtocolFrom: list('prefix'),
  proxyProtocolTo: list('prefix'),
  proxyProtocolVersion: choice(['v1', 'v2'], 'v2'),
  drainSeconds: integer(0, 3600, 30),
  handoverHours: integer(0, 720, 12),
  allowPrivateOrigins: flag(false),
  originPort: { anyOf: [{ type: 'integer', minimum: 1, maximum: 65_535 }, { type: 'null' }], default: null },
  engine: choice(['auto', 'epoll', 'streams'], 'auto'),
  workers: { anyOf: [{ const: 'auto' }, { type: 'integer', minimum: 1, maximum: 64 }], default: 'auto' },
  limits: relayLimits,
});

// Three failures, the second and third 2 s apart, take a dead relay out of the answers within half a minute: less than
// the TTL of the answers. A handshake through a relay on another continent takes under a second.
const health = section({
  names: list('host-name'),
  port: integer(1, 65_535, 443),
  intervalSeconds: integer(1, 3600, 10),
  timeoutSeconds: integer(1, 60, 5),
  fall: integer(1, 100, 3),
  rise: integer(1, 100, 2),
  concurrency: integer(1, 1000, 8),
  allDown: choice(['last-good', 'plain'], 'last-good'),
});

// Let's Encrypt: the CA that most clients of ACME know. Its terms must be agreed to, so `agree` has no default of true.
const acme = {
  anyOf: [
    section({
      directory: text('http-url', 'https://acme-v02.api.letsencrypt.org/directory'),
      email: optional('email'),
      agree: flag(false),
      dnsHook: optional('path'),
    }),
    { type: 'null' },
  ],
  default: null,
} as const;

// The keys have no default: one that several processes must share is never made up.
const privateNames = section({
  domain: optional('host-name'),
  key: secret(text('admin-key', '')),
  edgeKey: secret(text('admin-key', '')),
  controlUrl: optional('http-url'),
});

/** Every key of the configuration with its default, the strict choice. A section's default is made of its keys'. */
export const CONFIG_SCHEMA = section({
  // One host with one name: keys that the file leaves out are derived from these four (derive.ts).
  domain: optional('host-name'),
  address: optional('ipv4-address'),
  address6: optional('ipv6-address'),
  // Where the provider maps `address` to another one of this host (1:1 NAT): listeners open here.
  listenAddress: optional('ipv4-address'),
  acme,
  // Not relay: it needs an address of its own for ports that other listeners want too.
  roles: {
    type: 'array',
    items: { enum: ['control', 'edge', 'relay'] },
    uniqueItems: true,
    default: ['control', 'edge'],
  },
  dataDir: text('path', './var'),
  store: secret(text('store', 'embedded')),
  redis: section({ waitReplicas: integer(0, 10, 0) }),
  dns,
  tls: section({ certFile: optional('path'), keyFile: optional('path') }),
  upstreams: list('upstream', ['system']),
  cache: section({
    bytes: { type: 'integer', format: 'size', minimum: MIB, maximum: 2048 * MIB, default: 64 * MIB },
    minTtlSeconds: integer(0, DAY_SECONDS, 0),
    maxTtlSeconds: integer(0, WEEK_SECONDS, DAY_SECONDS),
    staleSeconds: integer(0, WEEK_SECONDS, DAY_SECONDS),
  }),
  catalog: section({
    services: list('path', ['services/*.yaml']),
    bundle: section({
      url: optional('bundle-url'),
      publicKey: optional('bundle-key'),
      refreshSeconds: integer(1, WEEK_SECONDS, 3600),
    }),
    answerTtlSeconds: integer(0, DAY_SECONDS, 60),
    groups: {
      type: 'object',
      patternProperties: { [REGION_PATTERN]: list('group-member') },
      default: {},
    },
  }),
  regions: {
    type: 'object',
    patternProperties: {
      [REGION_PATTERN]: section({ relays: { type: 'array', items: relay, default: [] } }),
    },
    default: {},
  },
  defaultRegion: optional('id'),
  health,
  registration: section({
    perAccount: integer(1, 10_000, 5),
    leaseDays: integer(1, 3650, 90),
    allowPrivate: flag(false),
  }),
  retention: section({ lapsedDays: optionalInteger(2, 36_500) }),
  privateNames,
  control,
  relay: relayRole,
  readiness: section({ upstreamsDownSeconds: integer(0, DAY_SECONDS, 30) }),
  metrics: section({ listen: list('socket-address', ['127.0.0.1:9153']) }),
  log: section({ level: choice(['fatal', 'error', 'warn', 'info', 'debug', 'trace'], 'info') }),
});

/** All keys present, since each has a default, and read-only, since the loader freezes them. */
type Complete<T> = T extends readonly (infer Item)[]
  ? readonly Complete<Item>[]
  : T extends object
    ? { readonly [K in keyof T]-?: Complete<T[K]> }
    : T;

/** Contents of the file with defaults filled in: sizes in bytes; addresses, prefixes and URLs in canonical text. */
export type FileConfig = Complete<XStatic<typeof CONFIG_SCHEMA>>;

/** Configuration with `dataDir` and the files of `tls` as absolute paths. */
export interface Config extends FileConfig {
  /** One of `regions`; empty only if there are none. */
  readonly defaultRegion: string;
}
export type RelayConfig = Config['regions'][string]['relays'][number];
export type Role = Config['roles'][number];
