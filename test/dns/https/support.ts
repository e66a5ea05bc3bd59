import { beginHttp, HTTPS_TRAITS } from '../../../src/dns/https/listener.ts';
import { HttpsSession } from '../../../src/dns/https/session.ts';
import { createThreadBuffers } from '../../../src/dns/https/thread-buffers.ts';
import { Answerer } from '../../../src/dns/index.ts';
import type { PrivateNames } from '../../../src/dns/private-names/index.ts';
import type { Channel } from '../../../src/dns/stream/channel.ts';
import { Outbox } from '../../../src/dns/stream/outbox.ts';
import { sourceFromText } from '../../../src/net/index.ts';
import type { Resolved } from '../../../src/resolver/index.ts';
import { textFromName } from '../../../src/wire/index.ts';
import { a, answering, type EdgeParts, HOME, query, TestEdge } from '../support.ts';

/** A channel whose peer reads everything or nothing. */
export class FakeChannel implements Channel {
  unsentBytes = 0;
  isClosed = false;
  isEnded = false;
  isPaused = false;
  /** True while the peer reads. */
  takes = true;
  writes: Buffer[] = [];

  write(bytes: Uint8Array): void {
    if (this.isClosed || this.isEnded) return;
    this.writes.push(Buffer.from(bytes));
    if (!this.takes) this.unsentBytes += bytes.length;
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  end(): void {
    this.isEnded = true;
  }

  finish(): void {
    this.end();
  }

  destroy(): void {
    this.isClosed = true;
  }

  /** Returns the bytes written since the last call. */
  taken(): Buffer {
    return Buffer.concat(this.writes.splice(0));
  }
}

export interface StageParts extends EdgeParts {
  maxQueries?: number;
  /** Default HOME, which is registered. */
  source?: string;
  privateNames?: PrivateNames;
}

/** A session of a registered source over a FakeChannel. Names below slow.example wait for `release`. */
export class Stage {
  readonly edge: TestEdge;
  readonly channel = new FakeChannel();
  readonly session: HttpsSession;
  readonly answerer: Answerer;
  limits = 0;
  private readonly waiting: (() => void)[] = [];

  constructor(version: 'http/1.1' | 'h2', parts: StageParts = {}) {
    this.edge = new TestEdge(parts);
    this.edge.register(HOME);
    this.answerer = new Answerer(
      this.edge.state,
      answering((request) => this.resolve(textFromName(request.name.slice(0, request.nameLength)))),
      () => this.edge.nowMs,
      (error) => {
        throw error;
      },
    );
    this.session = new HttpsSession(() => this.channel, {
      answerer: this.answerer,
      source: sourceFromText(parts.source ?? HOME)!,
      traits: HTTPS_TRAITS,
      guestTraits: { ...HTTPS_TRAITS, isGuest: true },
      maxQueries: parts.maxQueries ?? 10_000,
      registeredQueries: 10_000,
      privateNames: parts.privateNames ?? null,
      buffers: createThreadBuffers(new Outbox(), () => this.edge.unixSeconds * 1000),
      now: () => this.edge.nowMs,
      onLimit: () => this.limits++,
      promote: () => true,
    });
    beginHttp(this.session, version);
  }

  /** Delivers bytes as one read, in memory that is overwritten afterwards. */
  send(bytes: Uint8Array): void {
    // A Buffer: its slice() shares memory, so a missing copy shows.
    const memory = Buffer.alloc(bytes.length + 100, 0xee);
    memory.set(bytes);
    if (!this.channel.isClosed) this.session.read(memory, bytes.length);
    memory.fill(0xdd);
  }

  get waitingCount(): number {
    return this.waiting.length;
  }

  /** Answers the waiting queries, in the order asked or by these indexes. */
  async release(order: readonly number[] = this.waiting.map((_, i) => i)): Promise<void> {
    const all = this.waiting.splice(0);
    for (const index of order) {
      all[index]!();
      // An answer passes through a few promises.
      for (let i = 0; i < 10; i++) await Promise.resolve();
    }
  }

  private async resolve(name: string): Promise<Resolved> {
    await new Promise<void>((resolve) => void this.waiting.push(resolve));
    return { entry: this.edge.entry(name, [a(name, 300, '192.0.2.77')]), cached: false };
  }
}

export const FILMS = query('netflix.com', 'A', { id: 0 });
export const SLOW = (i: number): Buffer => query(`n${i}.slow.example`, 'A', { id: 0 });
export const pathOf = (message: Uint8Array): string =>
  `/dns-query?dns=${Buffer.from(message).toString('base64url')}`;
