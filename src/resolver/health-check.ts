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

/** Asks an upstream whether it lives: any DNS reply, whatever its rcode, proves it. One lost packet does not count. */
export class HealthCheck implements ReplyListener {
  private readonly upstream: Upstream;
  private readonly random: RandomSource;
  private readonly onEnd: (isAlive: boolean) => void;
  private query: UpstreamQuery | null = null;
  private readonly exchanges: Exchange[] = [];
  private timer: NodeJS.Timeout | undefined;

  /** @param onEnd called once for each start, unless `cancel` is called first */
  constructor(upstream: Upstream, random: RandomSource, onEnd: (isAlive: boolean) => void) {
    this.upstream = upstream;
    this.random = random;
    this.onEnd = onEnd;
  }

  get isRunning(): boolean {
    return this.query !== null;
  }

  /** Asks twice, the second time after half of the timeout. @returns false, without a start, if there is no room to send */
  start(timeoutMs: number): boolean {
    if (!this.send()) {
      this.query = null;
      return false;
    }
    this.timer = setTimeout(() => {
      this.send();
      this.timer = setTimeout(() => this.end(false), timeoutMs / 2).unref();
    }, timeoutMs / 2).unref();
    return true;
  }

  reply(message: Uint8Array, length: number): boolean {
    // Both queries hold the same question, in lower case.
    if (this.query === null || matchReply(message, length, this.query) === Match.NONE) return false;
    this.end(true);
    return true;
  }

  failed(): void {
    this.end(false);
  }

  cancel(): void {
    clearTimeout(this.timer);
    for (const exchange of this.exchanges.splice(0)) exchange.cancel();
    this.query = null;
  }

  private send(): boolean {
    const { upstream } = this;
    this.query = buildQuery(ROOT_NAME_SERVERS, true, upstream.isEncrypted, false, this.random);
    const exchange = upstream.ask(this.query, this);
    if (exchange !== null) this.exchanges.push(exchange);
    return exchange !== null;
  }

  private end(isAlive: boolean): void {
    if (this.query === null) return;
    this.cancel();
    this.onEnd(isAlive);
  }
}
