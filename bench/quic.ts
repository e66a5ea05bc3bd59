/**
 * What the relay spends on QUIC: CPU a GB and a new connection, and memory a connection that is idle.
 *
 * Beside nginx as a plain UDP proxy, which reads no name and asks no list. The servers have a processor of their own;
 * clients and origin, this process, have another. Options: --gigabytes 1 --rounds 3 --connections 1000
 */
import { execFileSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { medianAndRange, table } from './support/pairs.ts';
import { DATAGRAM_BYTES, QuicLoad } from './support/quic-load.ts';
import { type RelayServer, startOther, startOurs } from './support/relays.ts';

const SERVER_PROCESSOR = 0;
const LOAD_PROCESSOR = 1;
const ORIGIN_PORT = 18_600;
const STREAMS = 4;
const GB = 1e9;
const WARM_UP = 20_000;

const { values } = parseArgs({
  options: {
    gigabytes: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '3' },
    connections: { type: 'string', default: '1000' },
    only: { type: 'string', default: 'ours,streams,nginx' },
  },
});

interface Figures {
  readonly perGb: number[];
  readonly gigabits: number[];
  readonly lost: number[];
  readonly perConnection: number[];
  readonly idle: number[];
}

function start(kind: string): Promise<RelayServer> {
  if (kind === 'ours') return startOurs(SERVER_PROCESSOR, ORIGIN_PORT, 'epoll');
  if (kind === 'streams') return startOurs(SERVER_PROCESSOR, ORIGIN_PORT, 'streams');
  const port = ORIGIN_PORT + 1 + Math.floor(Math.random() * 300);
  return startOther('nginx-udp', SERVER_PROCESSOR, ORIGIN_PORT, port);
}

async function measure(load: QuicLoad, { quicPort, server }: RelayServer, figures: Figures): Promise<void> {
  const datagrams = Math.round((Number(values.gigabytes) * GB) / DATAGRAM_BYTES);
  await load.open(quicPort, STREAMS);
  load.carry(WARM_UP);
  let before = server.cpuSeconds();
  const startedAt = performance.now();
  const came = load.carry(datagrams);
  const seconds = (performance.now() - startedAt) / 1000;
  const bytes = came * DATAGRAM_BYTES;
  figures.perGb.push(((server.cpuSeconds() - before) / bytes) * GB);
  figures.gigabits.push((bytes * 8) / seconds / 1e9);
  figures.lost.push((1 - came / datagrams) * 100);
  const connections = Number(values.connections);
  const rss = server.rssBytes();
  before = server.cpuSeconds();
  await load.open(quicPort, connections);
  figures.perConnection.push(((server.cpuSeconds() - before) / connections) * 1e6);
  figures.idle.push((server.rssBytes() - rss) / connections / 1000);
  load.close();
}

execFileSync('taskset', ['-p', '-c', String(LOAD_PROCESSOR), String(process.pid)], { stdio: 'ignore' });
const kinds = values.only.split(',');
const figures = new Map<string, Figures>(
  kinds.map((kind) => [kind, { perGb: [], gigabits: [], lost: [], perConnection: [], idle: [] }]),
);
const load = new QuicLoad(ORIGIN_PORT);
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
  load.stop();
}
table([
  ['relay', 'CPU-s/GB', 'Gbit/s', 'lost %', 'us CPU/connection', 'kB/idle connection'],
  ...kinds.map((kind) => {
    const { perGb, gigabits, lost, perConnection, idle } = figures.get(kind)!;
    return [
      kind,
      medianAndRange(perGb),
      ...[gigabits, lost].map((list) => medianAndRange(list, 1)),
      medianAndRange(perConnection, 0),
      medianAndRange(idle, 1),
    ];
  }),
]);
