import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ADMIN_KEY } from './edge.ts';
import { cpuSeconds, rssBytes, type Server, startServer, startUntil } from './process.ts';
import { NAME } from './relay-load.ts';

const ROOT = join(import.meta.dirname, '../..');

export interface RelayServer {
  readonly port: number;
  /** Port for QUIC, or for any datagrams. */
  readonly quicPort: number;
  readonly server: Server;
  stop(): Promise<void>;
}

/** Answers every A query with 127.0.0.1 and all others with nothing. */
export async function startUpstream(): Promise<{ port: number; close(): void }> {
  const socket = createSocket('udp4', (query, peer) => {
    const question = query.indexOf(0, 12) + 5;
    const isA = query.readUInt16BE(question - 4) === 1;
    const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 14, 16, 0, 4, 127, 0, 0, 1]);
    const soa = Buffer.from([0, 0, 6, 0, 1, 0, 0, 14, 16, 0, 22, 0, 0, ...Buffer.alloc(16), 0, 0, 14, 16]);
    const reply = Buffer.concat([query.subarray(0, question), isA ? record : soa]);
    reply.writeUInt16BE(0x8180, 2);
    reply.writeUInt16BE(isA ? 1 : 0, 6);
    reply.writeUInt16BE(isA ? 0 : 1, 8);
    reply.writeUInt16BE(0, 10);
    socket.send(reply, peer.port, peer.address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return { port: socket.address().port, close: () => void socket.close() };
}

/** The whole service in the relay's role, with 127.0.0.1 registered. */
export async function startOurs(processor: number, originPort: number, engine: string): Promise<RelayServer> {
  const directory = mkdtempSync(join(tmpdir(), 'bench-relay-'));
  const upstream = await startUpstream();
  mkdirSync(join(directory, 'services'));
  const service = { service: 'relayed', title: 'Relayed', regions: ['us'], names: ['relayed.example'] };
  writeFileSync(join(directory, 'services/relayed.yaml'), JSON.stringify(service));
  const listeners = { tls: ['127.0.0.1:0'], quic: ['127.0.0.1:0'] };
  const limits = { connectionsPerSource: 9000, newPerSecond: 1_000_000, newBurst: 1_000_000 };
  const config = {
    roles: ['control', 'relay'],
    dataDir: join(directory, 'var'),
    upstreams: [`udp://127.0.0.1:${upstream.port}`],
    regions: { us: { relays: [{ address: '192.0.2.10' }] } },
    registration: { allowPrivate: true },
    control: { listen: ['127.0.0.1:0'], adminKey: ADMIN_KEY },
    relay: { ...listeners, originPort, allowPrivateOrigins: true, engine, workers: 1, limits },
    metrics: { listen: [] },
  };
  const file = join(directory, 'config.yaml');
  writeFileSync(file, JSON.stringify(config));
  let ready: { control: string[]; relay: { tls: string[]; quic: string[] } } | undefined;
  const command = [process.execPath, '--max-semi-space-size=8', join(ROOT, 'src/main.ts'), 'serve'];
  const server = await startServer(
    processor,
    [...command, '--config', file],
    (line) => {
      const entry = JSON.parse(line) as { msg: string };
      if (entry.msg !== 'ready') return false;
      ready = entry as unknown as typeof ready;
      return true;
    },
    { MALLOC_ARENA_MAX: '2' },
  );
  await register(ready!.control[0]!);
  return {
    port: portOf(ready!.relay.tls[0]!),
    quicPort: portOf(ready!.relay.quic[0]!),
    server,
    async stop() {
      await server.stop();
      upstream.close();
      rmSync(directory, { recursive: true });
    },
  };
}

function portOf(listener: string): number {
  return Number(listener.split(':')[1]);
}

async function register(api: string): Promise<void> {
  const post = async (path: string, key: string): Promise<{ secret: string }> => {
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
    const response = await fetch(`${api}${path}`, { method: 'POST', headers, body: '{}' });
    return (await response.json()) as { secret: string };
  };
  const { secret } = await post('/v1/accounts', ADMIN_KEY);
  await post('/v1/registrations', secret);
}

export type OtherRelay = 'nginx' | 'nginx-udp' | 'haproxy' | 'sniproxy';

/**
 * nginx as the second half of the pair that people run: it lets a list of addresses in, sends one name to the
 * origin and all others nowhere. Resolves when a connection from 127.0.0.1 is let in.
 */
export async function startListedNginx(
  processor: number,
  { port, originPort, allowed, names }: ListedNginxOptions,
): Promise<RelayServer> {
  const directory = mkdtempSync(join(tmpdir(), 'bench-nginx-'));
  const file = join(directory, 'configuration');
  writeFileSync(join(directory, 'allowed'), allowed.map((address) => `${address} 1;`).join('\n'));
  const map = names.map((name) => `.${name} origin;`).join(' ');
  writeFileSync(
    file,
    `
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off; master_process off; worker_processes 1; pid ${directory}/pid; user root;
events { worker_connections 20000; }
stream {
  access_log off; error_log stderr crit;
  map_hash_bucket_size 256; map_hash_max_size 8192;
  geo $allowed { default 0; include ${directory}/allowed; }
  map $ssl_preread_server_name $host_to { hostnames; default nowhere; ${map} }
  map $allowed $to { default nowhere; 1 $host_to; }
  upstream origin { server 127.0.0.1:${originPort}; }
  upstream nowhere { server 127.0.0.1:9 down; }
  server { listen 127.0.0.1:${port} backlog=4096; ssl_preread on; proxy_pass $to; proxy_buffer_size 64k; }
}
`,
  );
  const server = await startUntil(processor, ['nginx', '-c', file, '-p', directory, '-e', 'stderr'], () =>
    opens(port),
  );
  return {
    port,
    quicPort: port,
    server,
    async stop() {
      await server.stop();
      rmSync(directory, { recursive: true });
    },
  };
}

export interface ListedNginxOptions {
  readonly port: number;
  readonly originPort: number;
  readonly allowed: readonly string[];
  readonly names: readonly string[];
}

function opens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

/** Starts another relay with one worker; a table maps the name to the origin. */
export async function startOther(
  kind: OtherRelay,
  processor: number,
  originPort: number,
  port: number,
): Promise<RelayServer> {
  const directory = mkdtempSync(join(tmpdir(), `bench-${kind}-`));
  const file = join(directory, 'configuration');
  writeFileSync(file, CONFIGURATIONS[kind](port, originPort, directory));
  const commands: Record<OtherRelay, string[]> = {
    nginx: ['nginx', '-c', file, '-p', directory, '-e', 'stderr'],
    'nginx-udp': ['nginx', '-c', file, '-p', directory, '-e', 'stderr'],
    haproxy: ['haproxy', '-f', file],
    sniproxy: ['sniproxy', '-f', '-c', file],
  };
  // They say nothing when they are ready: the shell does, and becomes the server.
  const script = `(sleep 0.7; echo ready) & exec ${commands[kind].join(' ')}`;
  const server = await startServer(processor, ['sh', '-c', script], (line) => line === 'ready');
  return {
    port,
    quicPort: port,
    server: { ...server, cpuSeconds: () => cpuSeconds(server.pid), rssBytes: () => rssBytes(server.pid) },
    async stop() {
      await server.stop();
      rmSync(directory, { recursive: true });
    },
  };
}

const CONFIGURATIONS: Record<OtherRelay, (port: number, originPort: number, directory: string) => string> = {
  nginx: (port, originPort, directory) => `
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off; master_process off; worker_processes 1; pid ${directory}/pid; user root;
events { worker_connections 20000; }
stream {
  access_log off;
  map $ssl_preread_server_name $to { ${NAME} origin; }
  upstream origin { server 127.0.0.1:${originPort}; }
  server { listen 127.0.0.1:${port} backlog=4096; ssl_preread on; proxy_pass $to; proxy_buffer_size 64k; }
}
`,
  'nginx-udp': (port, originPort, directory) => `
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off; master_process off; worker_processes 1; pid ${directory}/pid; user root;
events { worker_connections 20000; }
stream {
  access_log off;
  server { listen 127.0.0.1:${port} udp rcvbuf=4m; proxy_pass 127.0.0.1:${originPort}; proxy_timeout 120s; }
}
`,
  haproxy: (port, originPort) => `
global
  maxconn 4000
  nbthread 1
defaults
  mode tcp
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  option splice-auto
frontend relay
  bind 127.0.0.1:${port} backlog 4096
  tcp-request inspect-delay 5s
  tcp-request content accept if { req_ssl_hello_type 1 }
  use_backend origin if { req_ssl_sni -i ${NAME} }
backend origin
  server origin 127.0.0.1:${originPort}
`,
  sniproxy: (port, originPort, directory) => `
user root
pidfile ${directory}/pid
listen 127.0.0.1:${port} {
  proto tls
  table names
}
table names {
  ${NAME.replaceAll('.', '\\.')} 127.0.0.1:${originPort}
}
`,
};
