import { type Command, type Io, UsageError } from './command.ts';

const USAGE = `Usage: mediastreamer catalog keygen --out FILE
       mediastreamer catalog build --out FILE [--version N] [--config FILE]
       mediastreamer catalog sign BUNDLE --key FILE
       mediastreamer catalog verify BUNDLE [--public-key KEY] [--config FILE]
       mediastreamer catalog diff OLD NEW
       mediastreamer catalog refresh --out FILE [--base BUNDLE] [--ref REF] [--version N] [--accept SERVICE]...
                             [--config FILE]
       mediastreamer catalog export --format unbound|dnsmasq [--service NAME]... [--server ADDRESS]... [--out FILE]
                             [--config FILE]
       mediastreamer catalog status | pin VERSION | unpin | rollback [--config FILE]

A bundle is the whole catalog as one signed file. Put it on any web server, and name its address and key in
catalog.bundle: every process fetches it and takes a newer one without a restart.

keygen    makes a key pair: the private key goes to FILE (0600), the public key is printed for catalog.bundle.publicKey
build     writes the service files of catalog.services as a bundle without a signature. The version must grow with each
          bundle; without --version it is the time, such as 202612010930
sign      signs a bundle in place
verify    checks a bundle's signature and its service files
diff      shows what changes from one bundle, or directory of service files, to another
refresh   fetches the domain lists that service files name as their source, shows what has changed there since, and writes
          the next bundle. Names left out by hand stay out. What could pull unrelated traffic is held back: see --accept
export    prints lines for a home's own resolver that validates DNSSEC: it would take steered answers of signed zones for
          forged ones. unbound: domain-insecure; dnsmasq and Pi-hole: server=/NAME/ADDRESS
status    shows the bundle that this host serves, and those it keeps
pin       serves a version that this host keeps, and takes no other until unpin
unpin     takes the newest bundle again
rollback  pins the version that was served before

  --key FILE        private key that keygen wrote
  --public-key KEY  key to verify against; default: catalog.bundle.publicKey
  --base BUNDLE     bundle to start from; default: the service files of catalog.services
  --ref REF         commit, branch or tag of the lists; default: master
  --lists URL       where lists are, with {repository}, {ref} and {path}; default: GitHub
  --server ADDRESS  of the edge, for dnsmasq, with #PORT if it is not 53; default: control.dnsAddresses
  --accept SERVICE  take a service's changes although they were held back
  --config FILE     configuration; default: MEDIASTREAMER_CONFIG, else config/default.yaml

Exit codes: 0 done; 1 failed, nothing changed; 2 bad usage; 3 refresh: written, some changes held back.
`;

/** Arguments after the subcommand; resolves to the exit code. */
type Action = (args: string[], io: Io) => Promise<number>;

const ACTIONS: Readonly<Record<string, () => Promise<Action>>> = {
  keygen: async () => (await import('./catalog/publish.ts')).keygen,
  build: async () => (await import('./catalog/publish.ts')).build,
  sign: async () => (await import('./catalog/publish.ts')).sign,
  verify: async () => (await import('./catalog/inspect.ts')).verify,
  diff: async () => (await import('./catalog/inspect.ts')).diff,
  refresh: async () => (await import('./catalog/refresh.ts')).refresh,
  export: async () => (await import('./catalog/resolver-lines.ts')).exportLines,
  status: async () => (await import('./catalog/choose.ts')).status,
  pin: async () => (await import('./catalog/choose.ts')).pin,
  unpin: async () => (await import('./catalog/choose.ts')).unpin,
  rollback: async () => (await import('./catalog/choose.ts')).rollback,
};

async function run([action = '', ...args]: string[], io: Io): Promise<number> {
  const load = Object.hasOwn(ACTIONS, action) ? ACTIONS[action] : undefined;
  if (load === undefined) throw new UsageError(`expected one of ${Object.keys(ACTIONS).join(', ')}`);
  return (await load())(args, io);
}

export const command: Command = {
  name: 'catalog',
  summary: 'publish the catalog as a signed bundle; pin it, or roll it back',
  usage: USAGE,
  run,
};
