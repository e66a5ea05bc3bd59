import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2';
import { connect as connectTls } from 'node:tls';
import { HEADER_BYTES, MAX_QUERY_BYTES } from '../../wire/index.ts';
import type { LoadRun } from '../generator.ts';
import { NOT_WAITING, Outstanding } from '../outstanding.ts';
import type { LoadConnection } from './connection.ts';
import { endpoints, RECONNECT_MS, tlsOptions } from './link.ts';

const MEDIA_TYPE = 'application/dns-message';
const MAX_BODY_BYTES = 65_535;

/** Queries as POST requests on one HTTP/2 connection (RFC 8484), a stream each. */
export class HttpsConnection implements LoadConnection {
  readonly settled: Promise<void>;
  private readonly run: LoadRun;
  private readonly localAddress: string | undefined;
  private readonly queries: Outstanding;
  private readonly query = new Uint8Array(MAX_QUERY_BYTES);
  private settle: () => void = () => {};
  private session: ClientHttp2Session | null = null;
  private isOpen = false;
  private isClosed = false;
  private timer: NodeJS.Timeout | undefined;

  constructor(run: LoadRun, localAddress: string | undefined, capacity: number) {
    this.run = run;
    this.localAddress = localAddress;
    this.queries = new Outstanding(capacity);
    this.settled = new Promise((resolve) => {
      this.settle = resolve;
    });
    this.open();
  }

  get isIdle(): boolean {
    return this.queries.isEmpty;
  }

  ask(dueMs: number, category: number): boolean {
    if (!this.isOpen) return false;
    const { now, tallies, traffic, plan } = this.run;
    const sentMs = now();
    // The message ID is 0 (RFC 8484 section 4.1): the stream identifies the query.
    const body = Buffer.from(this.query.subarray(0, traffic.write(this.query, 0)));
    let stream: ClientHttp2Stream;
    try {
      stream = this.session!.request({
        ':method': 'POST',
        ':path': plan.path,
        accept: MEDIA_TYPE,
        'content-type': MEDIA_TYPE,
        'content-length': body.length,
      });
    } catch {
      return false;
    }
    const key = this.queries.add(dueMs, sentMs, 0, category, tallies);
    tallies.sent(category, sentMs - dueMs);
    this.listen(stream, key);
    stream.end(body);
    return true;
  }

  flush(): void {}

  expire(limitMs: number): void {
    this.queries.expire(limitMs, this.run.tallies);
  }

  close(): void {
    this.isClosed = true;
    clearTimeout(this.timer);
    this.session?.destroy();
  }

  private listen(stream: ClientHttp2Stream, key: number): void {
    const chunks: Buffer[] = [];
    let status = 0;
    let length = 0;
    stream.on('response', (headers) => {
      status = headers[':status'] ?? 0;
    });
    stream.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length <= MAX_BODY_BYTES) chunks.push(chunk);
    });
    stream.on('error', () => {});
    stream.on('end', () => {
      const isWhole = length >= HEADER_BYTES && length <= MAX_BODY_BYTES;
      this.take(key, status === 200 && isWhole ? Buffer.concat(chunks, length) : null);
    });
  }

  private take(key: number, message: Uint8Array | null): void {
    const { now, tallies } = this.run;
    const slot = this.queries.find(key);
    if (slot === NOT_WAITING) {
      tallies.unexpected++;
      return;
    }
    this.queries.settle(slot);
    const category = this.queries.categories[slot];
    if (message === null) tallies.invalid(category);
    else tallies.answered(category, now() - this.queries.dueMs[slot], message);
  }

  private open(): void {
    const { plan } = this.run;
    const to = endpoints(plan, this.localAddress);
    const session = connect(`https://${to.host.includes(':') ? `[${to.host}]` : to.host}:${to.port}`, {
      createConnection: () => connectTls({ ...to, ...tlsOptions(plan, 'h2') }),
    });
    this.session = session;
    session.once('remoteSettings', () => {
      this.isOpen = true;
      this.settle();
    });
    session.once('goaway', () => {
      this.isOpen = false;
    });
    // 'close' follows and handles it.
    session.on('error', () => {});
    session.once('close', () => this.reopen());
  }

  private reopen(): void {
    this.isOpen = false;
    if (this.isClosed) return;
    this.run.tallies.connectionFaults++;
    this.queries.expire(Number.POSITIVE_INFINITY, this.run.tallies);
    this.settle();
    this.timer = setTimeout(() => this.open(), RECONNECT_MS);
  }
}
