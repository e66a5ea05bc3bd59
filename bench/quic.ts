/**
 * CPU of the relay a GB of QUIC and a new connection, and memory an idle connection.
 *
 * Beside nginx as a plain UDP proxy, which reads no name and checks no list. Servers run on processor 0, clients and origin
 * (this process) on processor 1. Loopback.
 */
import { execFileSync } from 'node:child_process';
import { benchOptions } from './support/options.ts';
import { medianAndRange, table } from './support/pairs.ts';
import { DATAGRAM_BYTES, QuicLoad } from './support/quic-load.ts';
import { LOAD_PROCESSOR, ORIGIN_PORT, relayRounds } from './support/relay-rounds.ts';

const STREAMS = 4;
const GB = 1e9;
const WARM_UP_DATAGRAMS = 20_000;

const values = benchOptions(import.meta.url, {
  gigabytes: ['1', 'GB carried a round'],
  rounds: ['3', 'rounds, each relay once a round'],
  connections: ['1000', 'new connections a round'],
  only: ['ours,streams,nginx-udp', 'relays to run, by comma'],
});
const kinds = values.only.split(',');
const connections = Number(values.connections);
const datagrams = Math.round((Number(values.gigabytes) * GB) / DATAGRAM_BYTES);

execFileSync('taskset', ['-p', '-c', String(LOAD_PROCESSOR), String(process.pid)], { stdio: 'ignore' });
const load = new QuicLoad(ORIGIN_PORT);
try {
  const figures = await relayRounds(kinds, Number(values.rounds), async ({ quicPort, server }) => {
    await load.open(quicPort, STREAMS);
    load.carry(WARM_UP_DATAGRAMS);
    let before = server.cpuSeconds();
    const startedAt = performance.now();
    const arrived = load.carry(datagrams);
    const seconds = (performance.now() - startedAt) / 1000;
    const bytes = arrived * DATAGRAM_BYTES;
    const perGb = ((server.cpuSeconds() - before) / bytes) * GB;
    const rss = server.rssBytes();
    before = server.cpuSeconds();
    await load.open(quicPort, connections);
    const perConnection = ((server.cpuSeconds() - before) / connections) * 1e6;
    const idle = (server.rssBytes() - rss) / connections / 1000;
    load.close();
    const [gigabits, lost] = [(bytes * 8) / seconds / 1e9, (1 - arrived / datagrams) * 100];
    return { perGb, gigabits, lost, perConnection, idle };
  });
  table([
    ['relay', 'CPU-s/GB', 'Gbit/s', 'lost %', 'us CPU/connection', 'kB/idle connection'],
    ...[...figures].map(([kind, { perGb, gigabits, lost, perConnection, idle }]) => [
      kind,
      medianAndRange(perGb),
      ...[gigabits, lost].map((list) => medianAndRange(list, 1)),
      medianAndRange(perConnection, 0),
      medianAndRange(idle, 1),
    ]),
  ]);
} finally {
  load.stop();
}
