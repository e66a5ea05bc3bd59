import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Server, startServer } from './process.ts';

const ROOT = join(import.meta.dirname, '../..');
export const ADMIN_KEY = 'admin-key-of-the-bench';

export interface Edge extends Server {
  readonly port: number;
  /** Ports of DNS over TLS and HTTPS, where they are on. */
  readonly tls: number | undefined;
  readonly https: number | undefined;
  readonly api: string;
  readonly metrics: string;
}

export interface EdgeOptions {
  processor: number;
  workers?: number;
  upstream?: string;
  /** PEM of an authority that it trusts beside the runtime's. */
  caFile?: string;
  /** Further keys of the configuration's dns section, each after a comma. */
  dns?: string;
  /** Further sections of the configuration. */
  more?: string;
  nodeOptions?: readonly string[];
  /** Receives each output line that is not a log line. */
  onLine?(line: string): void;
}

/** The whole service as `npm start` runs it, on one processor, with 127.0.0.1 registered. */
export async function startEdge(options: EdgeOptions): Promise<Edge> {
  const directory = mkdtempSync(join(tmpdir(), 'bench-edge-'));
  const file = join(directory, 'config.yaml');
  writeFileSync(file, configuration(directory, options));
  const ready: Record<string, string[]> = {};
  const server = await startServer(
    options.processor,
    [
      process.execPath,
      '--max-semi-space-size=8',
      ...(options.nodeOptions ?? []),
      join(ROOT, 'src/main.ts'),
      'serve',
      '--config',
      file,
    ],
    (line) => {
      options.onLine?.(line);
      if (!line.startsWith('{')) return false;
      const entry = JSON.parse(line) as Record<string, string[]> & { msg: string };
      if (entry.msg === 'ready') Object.assign(ready, entry);
      return entry.msg === 'ready';
    },
    {
      MALLOC_ARENA_MAX: '2',
      ...(options.caFile !== undefined && { NODE_EXTRA_CA_CERTS: options.caFile }),
      MEDIASTREAMER_ADMIN_KEY: ADMIN_KEY,
      NODE_COMPILE_CACHE: join(ROOT, 'node_modules/.cache/mediastreamer'),
    },
  );
  const edge: Edge = {
    ...server,
    port: Number(ready['udp']![0]!.split(':')[1]),
    tls: portOf(ready['tls']),
    https: portOf(ready['https']),
    api: ready['control']![0]!,
    metrics: ready['metrics']![0]!,
    async stop() {
      await server.stop();
      rmSync(directory, { recursive: true });
    },
  };
  await register(edge.api);
  return edge;
}

function portOf(listeners: readonly string[] | undefined): number | undefined {
  return listeners?.[0] === undefined ? undefined : Number(listeners[0].split(':')[1]);
}

function configuration(directory: string, options: EdgeOptions): string {
  return `
dataDir: ${JSON.stringify(join(directory, 'var'))}
roles: [control, edge]
dns: { udp: ["127.0.0.1:0"], tcp: ["127.0.0.1:0"], workers: ${options.workers ?? 1}${options.dns ?? ''} }
upstreams: [${JSON.stringify(options.upstream ?? 'udp://127.0.0.1:9')}]
catalog: { services: [${JSON.stringify(join(ROOT, 'config/services/*.yaml'))}] }
regions: { us: { relays: [{ address: 192.0.2.10 }] }, gb: { relays: [{ address: 192.0.2.20 }] } }
defaultRegion: us
registration: { allowPrivate: true }
control: { listen: ["127.0.0.1:0"], publicUrl: "http://127.0.0.1:8080", adminKey: "\${MEDIASTREAMER_ADMIN_KEY}" }
metrics: { listen: ["127.0.0.1:0"] }
log: { level: info }
${options.more ?? ''}
`;
}

async function register(api: string): Promise<void> {
  const headers = { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': 'application/json' };
  const made = await fetch(`${api}/v1/accounts`, { method: 'POST', headers, body: '{}' });
  const { id } = (await made.json()) as { id: string };
  const body = JSON.stringify({ address: '127.0.0.1' });
  const registered = await fetch(`${api}/v1/accounts/${id}/registrations`, { method: 'POST', headers, body });
  if (registered.status !== 201) throw new Error(`the address was not registered: ${registered.status}`);
}

/** A UDP port of 127.0.0.1 that was free a moment ago. */
export async function freePort(): Promise<number> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  return port;
}
