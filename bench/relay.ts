/**
 * The relay costs no more CPU a GB than nginx's ssl_preread at 4 and 400 streams, and at most 1.5 times as much a new
 * connection; an idle tunnel takes less than 20 kB.
 *
 * Beside HAProxy and sniproxy from Debian's packages, in turns in one run. Servers run on processor 0, clients and origin (one
 * Node process) on processor 1. Loopback.
 */
import { benchOptions } from './support/options.ts';
import { medianAndRange, table } from './support/pairs.ts';
import { RelayLoad } from './support/relay-clients.ts';
import type { Order } from './support/relay-load.ts';
import { LOAD_PROCESSOR, ORIGIN_PORT, relayRounds } from './support/relay-rounds.ts';

const CONCURRENT = 32;
const GB = 1e9;

const values = benchOptions(import.meta.url, {
  gigabytes: ['2', 'GB carried a round'],
  rounds: ['3', 'rounds, each relay once a round'],
  connections: ['4000', 'new connections a round'],
  tunnels: ['2000', 'idle tunnels held'],
  only: ['ours,streams,nginx,haproxy,sniproxy', 'relays to run, by comma'],
});
const bytes = Number(values.gigabytes) * GB;
const [connections, tunnels] = [Number(values.connections), Number(values.tunnels)];

const load = await RelayLoad.start(LOAD_PROCESSOR, ORIGIN_PORT);
try {
  const figures = await relayRounds(
    values.only.split(','),
    Number(values.rounds),
    async ({ port, server }) => {
      const cost = async (order: Order): Promise<{ cpu: number; seconds: number }> => {
        const before = server.cpuSeconds();
        const seconds = await load.do(order);
        return { cpu: server.cpuSeconds() - before, seconds };
      };
      await load.do({ kind: 'connect', port, connections: 500, atOnce: CONCURRENT });
      // Before carrying, which leaves freed memory behind that idle tunnels would reuse.
      const before = server.rssBytes();
      await load.do({ kind: 'hold', port, tunnels });
      const idle = (server.rssBytes() - before) / tunnels / 1000;
      await load.do({ kind: 'release' });
      await load.do({ kind: 'carry', port, streams: 4, bytes: bytes / 8 });
      const few = await cost({ kind: 'carry', port, streams: 4, bytes });
      const many = await cost({ kind: 'carry', port, streams: 400, bytes });
      const connect = await cost({ kind: 'connect', port, connections, atOnce: CONCURRENT });
      return {
        few: (few.cpu / bytes) * GB,
        gigabits: (bytes * 8) / few.seconds / 1e9,
        many: (many.cpu / bytes) * GB,
        connect: (connect.cpu / connections) * 1e6,
        rate: connections / connect.seconds,
        idle,
      };
    },
  );
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
    ...[...figures].map(([kind, { few, many, gigabits, connect, rate, idle }]) => [
      kind,
      ...[few, many].map((list) => medianAndRange(list)),
      medianAndRange(gigabits, 1),
      ...[connect, rate].map((list) => medianAndRange(list, 0)),
      medianAndRange(idle, 1),
    ]),
  ]);
} finally {
  await load.stop();
}
