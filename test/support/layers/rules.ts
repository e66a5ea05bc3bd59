/** Everything at the top of the tree besides dotfiles and what git ignores. */
export const TOP_LEVEL = [
  'Dockerfile',
  'LICENSE',
  'README.md',
  'bench',
  'config',
  'package-lock.json',
  'package.json',
  'src',
  'test',
  'tsconfig.json',
];

/** Pages and scripts beside the parts in src/: the map, the glossary, the decision records, the launcher. */
export const PAGES = ['README.md', 'GLOSSARY.md', 'decisions', 'mediastreamer.sh', 'node.sh'];

/** Height of each part of src/: a part imports lower ones only, never its own height. */
export const HEIGHTS: Readonly<Record<string, number>> = {
  'main.ts': 5,
  cli: 4,
  dns: 3,
  relay: 3,
  control: 3,
  load: 3,
  allowlist: 2,
  catalog: 2,
  resolver: 2,
  registry: 2,
  config: 2,
  client: 1,
  wire: 1,
  net: 1,
  sys: 1,
  feed: 1,
  metrics: 1,
};

/** Parts with a fixed list of importers; all others declare the options they take. */
export const IMPORTED_ONLY_BY: Readonly<Record<string, readonly string[]>> = {
  cli: ['main.ts'],
  config: ['cli'],
  client: ['cli'],
};

/** A library that only these files and folders may import. A name ending in `/` stands for a scope. */
export const LIBRARY_OWNERS: Readonly<Record<string, readonly string[]>> = {
  koffi: ['sys/'],
  'node:sqlite': ['registry/store/sqlite/'],
  ioredis: ['registry/store/redis/', 'registry/operator/'],
  fastify: ['control/'],
  '@fastify/': ['control/'],
  '@messageformat/': ['control/languages/'],
  negotiator: ['control/'],
  'prom-client': ['metrics/scrape/'],
  'acme-client': ['cli/serve/acme/'],
};

/** The libraries that leaves may import besides Node's own modules. */
export const LEAF_LIBRARIES: Readonly<Record<string, readonly string[]>> = {
  wire: [],
  net: [],
  sys: ['koffi'],
  feed: [],
  metrics: ['prom-client'],
  client: [],
};

/** Libraries that a file or folder must not import. */
export const FORBIDDEN: Readonly<Record<string, readonly string[]>> = {
  'dns/query.ts': ['dns-packet'],
  'dns/udp/': ['dns-packet'],
  'allowlist/': ['dns-packet'],
  'catalog/': ['dns-packet'],
  'resolver/cache/': ['dns-packet'],
};

/** Libraries that must not be loaded with a file or folder, however far down they are imported. */
export const NOT_LOADED_WITH: Readonly<Record<string, readonly string[]>> = {
  'dns/': ['ioredis', 'fastify', '@fastify/', 'node:sqlite', 'prom-client'],
  'relay/': ['ioredis', 'fastify', '@fastify/', 'node:sqlite', 'prom-client'],
  // One thread a core, so each module is loaded that many times.
  'dns/udp/udp-worker.ts': ['dns-packet', 'undici', 'pino', 'yaml'],
};
