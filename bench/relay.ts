/**
 * The relay costs no more CPU a GB than nginx's ssl_preread at 4 and 400 streams, and no more than 1.5 times as much
 * a new connection; an idle tunnel takes less than 20 kB.
 *
 * Beside HAProxy and sniproxy from Debian's packages, all in one run and one after the other in each round. The servers
 * have a processor of their own; clients and origin, one process of Node's, have another.
 * Options: --gigabytes 2 --rounds 3 --connections 4000 --tunnels 2000 --only ours,nginx
 */
import { parseArgs } from 'node:util';
import { medianAndRange, table } from './support/pairs.ts';
import { RelayLoad } from './support/relay-clients.ts';
import type { Order } from './support/relay-load.ts';
import { type RelayServer, startOther, startOurs } from './support/relays.ts';

const SERVER_PROCESSOR = 0;
const LOAD_PROCESSOR = 1;
const ORIGIN_PORT = 18_600;
const AT_ONCE = 32;
const GB = 1e9;

const { values } = parseArgs({
  options: {
    gigabytes: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '3' },
    connections: { type: 'string', default: '4000' },
    tunnels: { type: 'string', default: '2000' },
    only: { type: 'string', default: 'ours,streams,nginx,haproxy,sniproxy' },
  },
});

interface Figures {
  readonly few: number[];
  readonly many: number[];
  readonly gigabits: number[];
  readonly connect: number[];
  readonly rate: number[];
  readonly idle: number[];
}

async function measure(load: RelayLoad, { port, server }: RelayServer, figures: Figures): Promise<void> {
  const bytes = Number(values.gigabytes) * GB;
  const cost = async (order: Order): Promise<{ cpu: number; seconds: number }> => {
    const before = server.cpuSeconds();
    const seconds = await load.do(order);
    return { cpu: server.cpuSeconds() - before, seconds };
  };
  await load.do({ kind: 'connect', port, connections: 500, atOnce: AT_ONCE });
  // First, as what was carried leaves memory behind that idle tunnels would be given.
  const tunnels = Number(values.tunnels);
  const before = server.rssBytes();
  await load.do({ kind: 'hold', port, tunnels });
  figures.idle.push((server.rssBytes() - before) / tunnels / 1000);
  await load.do({ kind: 'release' });
  await load.do({ kind: 'carry', port, streams: 4, bytes: bytes / 8 });
  const few = await cost({ kind: 'carry', port, streams: 4, bytes });
  figures.few.push((few.cpu / bytes) * GB);
  figures.gigabits.push((bytes * 8) / few.seconds / 1e9);
  const many = await cost({ kind: 'carry', port, streams: 400, bytes });
  figures.many.push((many.cpu / bytes) * GB);
  const connections = Number(values.connections);
  const connect = await cost({ kind: 'connect', port, connections, atOnce: AT_ONCE });
  figures.connect.push((connect.cpu / connections) * 1e6);
  figures.rate.push(connections / connect.seconds);
}

function start(kind: string): Promise<RelayServer> {
  if (kind === 'ours') return startOurs(SERVER_PROCESSOR, ORIGIN_PORT, 'epoll');
  if (kind === 'streams') return startOurs(SERVER_PROCESSOR, ORIGIN_PORT, 'streams');
  const port = ORIGIN_PORT + 1 + Math.floor(Math.random() * 300);
  return startOther(kind as 'nginx' | 'haproxy' | 'sniproxy', SERVER_PROCESSOR, ORIGIN_PORT, port);
}

const kinds = values.only.split(',');
const figures = new Map<string, Figures>(
  kinds.map((kind) => [kind, { few: [], many: [], gigabits: [], connect: [], rate: [], idle: [] }]),
);
const load = await RelayLoad.start(LOAD_PROCESSOR, ORIGIN_PORT);
try {
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const kind of kinds) {
      const relay = await start(kind);
      try {
        await measure(load, relay, figures.get(kind)!);
      } finally {
        await relay.stop();
      }
    }
  }
} finally {
  await load.stop();
}
table([
  [
    'relay',
    'CPU-s/GB, 4',
    'CPU-s/GB, 400',
    'Gbit/s, 4',
    'us CPU/connection',
    'connections/s',
    'kB/idle tunnel',
  ],
  ...kinds.map((kind) => {
    const { few, many, gigabits, connect, rate, idle } = figures.get(kind)!;
    return [
      kind,
      ...[few, many].map((list) => medianAndRange(list)),
      medianAndRange(gigabits, 1),
      ...[connect, rate].map((list) => medianAndRange(list, 0)),
      medianAndRange(idle, 1),
    ];
  }),
]);
