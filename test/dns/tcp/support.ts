import { afterEach } from 'vitest';
import { Answerer, type StreamLimits, type StreamServer, startTcpListener } from '../../../src/dns/index.ts';
import { limitedConnectionCounter, Transport } from '../../../src/metrics/index.ts';
import { parsePrefix, parseSocketAddress, writeProxyHeader } from '../../../src/net/index.ts';
import type { Resolved } from '../../../src/resolver/index.ts';
import { textFromName } from '../../../src/wire/index.ts';
import { a, answering, type EdgeParts, TestEdge } from '../support.ts';
import { StreamClient } from './client.ts';

export const SERVER = '127.0.0.1';
/** The only address whose PROXY headers are believed. */
export const BALANCER = '127.0.0.200';
export const LIMITS: StreamLimits = {
  connections: 100,
  connectionsPerSource: 20,
  strangerConnections: 50,
  idleSeconds: 10,
  queriesPerConnection: 10_000,
};

/** A listener over a TestEdge. 127.0.0.1 and ::1 are registered; names below slow.example wait for `release`. */
export class Stage {
  readonly edge: TestEdge;
  readonly answerer: Answerer;
  listener!: StreamServer;
  resolving = 0;
  release: () => void = () => {};
  private readonly released = new Promise<void>((resolve) => {
    this.release = resolve;
  });

  constructor(parts: EdgeParts = {}) {
    this.edge = new TestEdge(parts);
    this.edge.register(SERVER);
    this.edge.register('::1');
    this.answerer = new Answerer(
      this.edge.state,
      answering((request) => this.resolve(textFromName(request.name.slice(0, request.nameLength)))),
      () => this.edge.nowMs,
      () => {},
    );
  }

  async start(
    limits: Partial<StreamLimits> = {},
    listen: readonly string[] = [`${SERVER}:0`],
  ): Promise<this> {
    this.listener = await startTcpListener({
      addresses: listen.map((text) => parseSocketAddress(text)!),
      answerer: this.answerer,
      limits: { ...LIMITS, ...limits },
      proxies: [parsePrefix(`${BALANCER}/32`)!],
      now: () => this.edge.nowMs,
    });
    stages.push(this);
    return this;
  }

  get port(): number {
    return this.listener.addresses[0].port;
  }

  async connect(from?: string): Promise<StreamClient> {
    const client = await StreamClient.open(this.port, SERVER, from);
    clients.push(client);
    return client;
  }

  /** Connects as `source`, of either family, by a PROXY header. */
  async connectAs(source: string): Promise<StreamClient> {
    const client = await this.connect(BALANCER);
    const text = source.includes(':') ? `[${source}]:4000` : `${source}:4000`;
    client.socket.write(writeProxyHeader(parseSocketAddress(text)!, parseSocketAddress('127.0.0.1:53')!));
    return client;
  }

  get limited(): number {
    return this.edge.counters.values[limitedConnectionCounter(Transport.TCP)];
  }

  private async resolve(name: string): Promise<Resolved> {
    this.resolving++;
    if (name.endsWith('slow.example')) await this.released;
    return { entry: this.edge.entry(name, [a(name, 300, '192.0.2.77')]), cached: false };
  }
}

const stages: Stage[] = [];
export const clients: StreamClient[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) client.socket.destroy();
  for (const stage of stages.splice(0)) {
    stage.release();
    await stage.listener.close();
  }
});
