import { randomFillSync } from 'node:crypto';
import { Answerer, LocalDeferredQueries, MmsgEngine } from '../../../../src/dns/index.ts';
import { Counter, type CounterBlock } from '../../../../src/metrics/index.ts';
import { parseSocketAddress } from '../../../../src/net/index.ts';
import { createForwardHandle } from '../../../../src/resolver/forward/index.ts';
import { parseUpstream, Resolver, type ResolverTimeouts } from '../../../../src/resolver/index.ts';
import { monotonicClock } from '../../../../src/sys/index.ts';
import { STEADY, SYSTEM_DATAGRAMS } from '../../../resolver/support.ts';
import { until } from '../../../support/until.ts';
import { Peer } from '../../../sys/support.ts';
import { query, type Seen, seen, TestEdge } from '../../support.ts';

export const CLIENT = '127.0.0.41';

/** Tries long enough that a busy machine causes none: the tests count queries. */
const PATIENT = { tryMs: 1200, minTryMs: 500, overallMs: 3600 };

export interface ForwardEdgeOptions {
  readonly upstreams: readonly string[];
  readonly workers?: number;
  readonly timeouts?: Partial<ResolverTimeouts>;
  /** PEM of the authorities that upstreams over TLS are trusted by. */
  readonly authorities?: readonly string[];
}

/** UDP threads that forward misses by themselves, with the resolver behind them, and one registered client. */
export class ForwardEdge {
  readonly edge = new TestEdge();
  readonly counters: CounterBlock[] = [];
  readonly failures: Error[] = [];
  readonly resolver: Resolver;
  private engine!: MmsgEngine;
  private client!: Peer;

  private constructor({ upstreams, timeouts, authorities }: ForwardEdgeOptions) {
    const { edge } = this;
    const now = monotonicClock();
    edge.nowMs = now();
    edge.register(CLIENT);
    const configs = upstreams.map(parseUpstream);
    this.resolver = new Resolver({
      upstreams: configs,
      cache: edge.cache,
      now,
      fillRandom: randomFillSync,
      nameSeed: edge.policy.seed,
      timeouts: { ...STEADY, ...PATIENT, ...timeouts },
      datagrams: SYSTEM_DATAGRAMS,
      forward: createForwardHandle(configs, undefined, authorities),
      ...(authorities !== undefined && { trust: { ca: authorities } }),
    });
  }

  static async start(options: ForwardEdgeOptions): Promise<ForwardEdge> {
    const stage = new ForwardEdge(options);
    const { edge, resolver } = stage;
    const answerer = new Answerer(edge.state, resolver, monotonicClock(), (error) =>
      stage.failures.push(error as Error),
    );
    stage.engine = await MmsgEngine.start({
      addresses: [parseSocketAddress('127.0.0.1:0')!],
      workers: options.workers ?? 1,
      allowlist: edge.table.handle(),
      catalog: edge.steering.handle(),
      cache: edge.cache.handle(),
      rateLimit: edge.rateLimit,
      rateLimitOptions: edge.rateLimitOptions,
      policy: edge.policy,
      forward: resolver.forward,
      deferred: new LocalDeferredQueries(answerer),
      onCounters: (block) => stage.counters.push(block),
      onFailure: (error) => stage.failures.push(error),
    });
    stage.client = await Peer.on(CLIENT);
    return stage;
  }

  /** Sends a query, with an ID of its own, and waits for its reply. */
  async ask(
    name: string,
    type: Parameters<typeof query>[1] = 'A',
    fields: Parameters<typeof query>[2] = {},
    client = this.client,
  ): Promise<Seen> {
    ForwardEdge.nextId = (ForwardEdge.nextId + 1) & 0xffff;
    const id = ForwardEdge.nextId;
    const message = Buffer.from(query(name, type, fields));
    message.writeUInt16BE(id, 0);
    await client.send(message, this.engine.addresses[0].port, '127.0.0.1');
    const reply = (): string | undefined =>
      client.received
        .map(({ text }) => text)
        .find((text) => Buffer.from(text, 'latin1').readUInt16BE(0) === id);
    await until(() => reply() !== undefined, `${name} is answered`);
    return seen(0, Buffer.from(reply()!, 'latin1'));
  }

  private static nextId = 0;

  /** Questions that the threads have handed to the resolver. */
  get handedOver(): number {
    return this.sum(Counter.DEFERRED);
  }

  sum(counter: number): number {
    return this.counters.reduce((sum, block) => sum + block.values[counter], 0);
  }

  /** Ends the threads; the resolver goes on. */
  stopThreads(): Promise<void> {
    return this.engine.stop();
  }

  async stop(): Promise<void> {
    await this.engine.stop();
    await this.engine.close();
    await this.resolver.close();
  }
}

/** The address of a reply's first answer, or its rcode. */
export function shown({ rcode, answers }: Seen): string {
  return answers.length === 0 ? `rcode ${rcode}` : answers[0].split(' ').at(-1)!;
}
