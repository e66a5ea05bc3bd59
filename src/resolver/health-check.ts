import { RecordClass, RecordType } from '../wire/index.ts';
import { buildQuery, type UpstreamQuery } from './query.ts';
import type { RandomSource } from './random.ts';
import { Match, matchReply } from './reply.ts';
import type { ResolveRequest } from './request.ts';
import type { Exchange, ReplyListener, Upstream } from './upstream/upstream.ts';

/** `. NS`, which every resolver knows: what it does with one name or type says nothing about its health. */
const ROOT_NAME_SERVERS: ResolveRequest = {
  name: new Uint8Array(1),
  nameLength: 1,
  type: RecordType.NS,
  qclass: RecordClass.IN,
  dnssecOk: false,
  checkingDisabled: false,
};

/**
 * Asks an upstream whether it lives: any DNS reply, whatever its rcode, proves it. One lost packet does not count. The second
 * query has no EDNS: some upstreams drop those that have it.
 */
export class HealthCheck {
  private readonly upstream: Upstream;
  private readonly random: RandomSource;
  private readonly onEnd: (isAlive: boolean, hadEdns: boolean) => void;
  private query: UpstreamQuery | null = null;
  private readonly exchanges: Exchange[] = [];
  private timer: NodeJS.Timeout | undefined;

  /** @param onEnd called once for each start, unless `cancel` is called first */
  constructor(upstream: Upstream, random: RandomSource, onEnd: (isAlive: boolean, hadEdns: boolean) => void) {
    this.upstream = upstream;
    this.random = random;
    this.onEnd = onEnd;
  }

  get isRunning(): boolean {
    return this.query !== null;
  }

  /** Asks twice, the second time after half of the timeout. @returns false, without a start, if there is no room to send */
  start(timeoutMs: number): boolean {
    if (!this.send(true)) {
      this.query = null;
      return false;
    }
    this.timer = setTimeout(() => {
      this.send(false);
      this.timer = setTimeout(() => this.end(false, false), timeoutMs / 2).unref();
    }, timeoutMs / 2).unref();
    return true;
  }

  cancel(): void {
    clearTimeout(this.timer);
    for (const exchange of this.exchanges.splice(0)) exchange.cancel();
    this.query = null;
  }

  private send(withEdns: boolean): boolean {
    const { upstream } = this;
    const query = buildQuery(ROOT_NAME_SERVERS, withEdns, upstream.isEncrypted, false, this.random);
    this.query = query;
    const listener: ReplyListener = {
      reply: (message, length) => {
        if (matchReply(message, length, query) === Match.NONE) return false;
        this.end(true, withEdns);
        return true;
      },
      failed: () => this.end(false, false),
    };
    const exchange = upstream.ask(query, listener);
    if (exchange !== null) this.exchanges.push(exchange);
    return exchange !== null;
  }

  private end(isAlive: boolean, hadEdns: boolean): void {
    if (this.query === null) return;
    this.cancel();
    this.onEnd(isAlive, hadEdns);
  }
}
