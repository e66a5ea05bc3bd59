import type { Source } from '../../net/index.ts';
import type { TransportTraits } from '../answer/query-state.ts';
import type { Answerer } from '../answerer.ts';
import { claimAddress } from '../private-names/admission.ts';
import { ClaimOutcome, type PrivateNames, tokenOfBytes } from '../private-names/index.ts';
import type { Channel, ChannelReader } from '../stream/channel.ts';
import type { StreamSession } from '../stream/stream-server.ts';
import { DEFERRED } from '../verdict.ts';
import { equals } from './field.ts';
import { DOH_PATH } from './path.ts';
import { type HttpProtocol, NO_REPLY } from './protocol.ts';
import type { PathGate, Refusal } from './request.ts';
import type { ThreadBuffers } from './thread-buffers.ts';

/** Queries waiting for an upstream. Above MAX_CONCURRENT_STREAMS: a stream that the client resets still waits. */
const MAX_IN_FLIGHT = 200;
/** Time for a request to arrive whole. */
const REQUEST_TIMEOUT_MS = 5000;

const PATH = Buffer.from(DOH_PATH);
const SLASH = 0x2f;

/** Standing of the source on this connection. */
const Standing = {
  /** Unregistered: a private name in the path is needed. */
  STRANGER: 0,
  /** The name in the path is being asked about; queries wait. */
  CLAIMING: 1,
  /** Resolves as usual, because the name lives. */
  GUEST: 2,
  REGISTERED: 3,
} as const;
type Standing = (typeof Standing)[keyof typeof Standing];

/** A query that waits for its private name. */
interface HeldQuery {
  readonly query: Uint8Array;
  readonly onReply: (reply: Uint8Array) => void;
}

interface HttpsSessionOptions {
  readonly answerer: Answerer;
  readonly source: Source;
  readonly traits: TransportTraits;
  /** Traits of a source that a live private name vouches for. */
  readonly guestTraits: TransportTraits;
  readonly maxQueries: number;
  /** `maxQueries` of registered sources. */
  readonly registeredQueries: number;
  /** Null: there are no private names. */
  readonly privateNames: PrivateNames | null;
  readonly buffers: ThreadBuffers;
  now(): number;
  onLimit(): void;
  /** Takes the connection out of the strangers' pool. */
  promote(): boolean;
}

/** One connection of DNS over HTTPS (RFC 8484). ALPN chooses the version of HTTP that reads it. */
export class HttpsSession implements StreamSession, ChannelReader, PathGate {
  readonly channel: Channel;
  private readonly options: HttpsSessionOptions;
  /** Null until the handshake is done. */
  private protocol: HttpProtocol | null = null;
  private queries = 0;
  private inFlight = 0;
  private draining = false;
  private limited = false;
  /** Time of the last whole query, or of the last delayed response that the client took, in ms. */
  activeAtMs: number;
  private readAtMs: number;
  private standing: Standing;
  private traits: TransportTraits;
  private maxQueries: number;
  /** The private name of this connection: another one needs another connection. */
  private token: string | null = null;
  private held: HeldQuery[] = [];

  /** @param open makes the channel that this session reads */
  constructor(open: (reader: ChannelReader) => Channel, options: HttpsSessionOptions) {
    this.options = options;
    this.activeAtMs = options.now();
    this.readAtMs = this.activeAtMs;
    this.traits = options.traits;
    this.maxQueries = options.maxQueries;
    const isRegistered = options.privateNames === null || options.answerer.admits(options.source);
    this.standing = isRegistered ? Standing.REGISTERED : Standing.STRANGER;
    this.channel = open(this);
  }

  /** Starts HTTP once the handshake is done. */
  begin(protocol: HttpProtocol): void {
    this.protocol = protocol;
    if (this.draining) protocol.drain();
  }

  get buffers(): ThreadBuffers {
    return this.options.buffers;
  }

  /** Holds the reply after `ask`. */
  get reply(): Uint8Array {
    return this.options.answerer.reply;
  }

  get isBusy(): boolean {
    return this.inFlight > 0;
  }

  now(): number {
    return this.options.now();
  }

  closeIfIdle(nowMs: number, idleMs: number): void {
    const isBlocked = this.channel.unsentBytes > 0 || this.protocol?.isBlocked === true;
    if ((this.inFlight === 0 || isBlocked) && nowMs - this.activeAtMs >= idleMs) {
      this.countLimit();
      this.channel.destroy();
    } else this.protocol?.expireRequests(nowMs - REQUEST_TIMEOUT_MS);
  }

  /** HTTP/2 announces this by GOAWAY (RFC 9113 6.8). */
  drain(): void {
    this.draining = true;
    if (this.protocol === null) this.channel.destroy();
    else this.protocol.drain();
  }

  read(bytes: Uint8Array, length: number): void {
    this.readAtMs = this.now();
    this.options.buffers.date.refresh(this.readAtMs);
    this.protocol?.read(bytes, length);
  }

  sent(): void {
    this.protocol?.sent();
  }

  ended(): void {
    if (this.protocol === null) this.channel.destroy();
    else this.protocol.ended();
  }

  checkPath(target: Uint8Array, end: number): 0 | Refusal {
    const isPlain = equals(target, 0, end, PATH);
    if (isPlain && this.standing === Standing.REGISTERED) return 0;
    const { privateNames } = this.options;
    if (privateNames === null) return 404;
    const isBelow =
      end > PATH.length && target[PATH.length] === SLASH && equals(target, 0, PATH.length, PATH);
    const token = isBelow ? tokenOfBytes(target, PATH.length + 1, end) : null;
    if (this.standing === Standing.REGISTERED) return this.reportName(token);
    if (token === null || (this.token !== null && this.token !== token)) return 403;
    if (this.standing === Standing.STRANGER) {
      this.token = token;
      this.standing = Standing.CLAIMING;
      void this.claim(privateNames, token);
    }
    return 0;
  }

  /** Reports a registered source's private name once. */
  private reportName(token: string | null): 0 | Refusal {
    if (token === null) return 404;
    if (this.token === token) return 0;
    this.token = token;
    const { privateNames, source } = this.options;
    void privateNames!.claim({ token, source, isRegistered: true });
    return 0;
  }

  private async claim(privateNames: PrivateNames, token: string): Promise<void> {
    const { answerer, source, promote, registeredQueries, guestTraits } = this.options;
    const outcome = await claimAddress(privateNames, answerer, { token, source });
    const { held } = this;
    this.held = [];
    if (this.channel.isClosed) return;
    const isLive = outcome === ClaimOutcome.LIVE || (outcome === ClaimOutcome.REGISTERED && promote());
    if (!isLive) {
      this.inFlight -= held.length;
      this.protocol!.forbid();
      return;
    }
    if (outcome === ClaimOutcome.REGISTERED) {
      this.standing = Standing.REGISTERED;
      this.maxQueries = registeredQueries;
    } else {
      this.standing = Standing.GUEST;
      this.traits = guestTraits;
    }
    for (const { query, onReply } of held) {
      answerer.answer(query, source, this.traits, (reply) => this.replied(reply, onReply));
    }
  }

  /**
   * Asks the query in `bytes[start, end)`.
   * @returns length of the answer in `reply`; DEFERRED: the caller calls `defer` next; NO_REPLY: the connection is closed
   */
  ask(bytes: Uint8Array, start: number, end: number): number {
    const { answerer, source } = this.options;
    this.activeAtMs = this.readAtMs;
    this.queries++;
    const length =
      this.standing === Standing.CLAIMING
        ? DEFERRED
        : answerer.answerNow(bytes, start, end, source, this.traits);
    if (length === NO_REPLY) this.channel.destroy();
    if (this.queries === this.maxQueries) {
      this.countLimit();
      this.drain();
    }
    return length;
  }

  /** Asks an upstream. @param onReply called once, unless the connection has closed; the reply is valid during the call */
  defer(query: Uint8Array, onReply: (reply: Uint8Array) => void): void {
    const { answerer, source } = this.options;
    if (++this.inFlight > MAX_IN_FLIGHT) this.protocol!.closeForAbuse();
    if (this.standing === Standing.CLAIMING) {
      this.held.push({ query, onReply });
      return;
    }
    answerer.defer(query, source, this.traits, (reply) => this.replied(reply, onReply));
  }

  private replied(reply: Uint8Array | null, onReply: (reply: Uint8Array) => void): void {
    this.inFlight--;
    if (this.channel.isClosed) return;
    if (reply === null) this.channel.destroy();
    else {
      this.options.buffers.date.refresh(this.now());
      onReply(reply);
    }
  }

  /** Counts this connection as closed by a limit, once. */
  countLimit(): void {
    if (!this.limited) this.options.onLimit();
    this.limited = true;
  }

  /** Notes that the client took a response that was held back. */
  noteActivity(): void {
    this.activeAtMs = this.now();
  }
}
