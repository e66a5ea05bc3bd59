import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  constants,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { TLSSocket } from 'node:tls';
import type { Answerer } from '../answerer.ts';
import type { TransportTraits } from '../query-state.ts';
import type { Source } from '../source.ts';
import type { StreamSession } from '../stream/stream-server.ts';
import { maxAgeSeconds } from './max-age.ts';
import { DNS_MESSAGE, isQuery, MAX_QUERY_BYTES, type Refusal, readDohRequest } from './request.ts';

/** Streams that a client may give up before they are answered, if it does so with every second (CVE-2023-44487). */
const MAX_RESETS = 100;
/** Queries under way: more than there may be streams, as those that were given up are under way for a while. */
const MAX_IN_FLIGHT = 200;
/** How long a client has to read why its connection ends. */
const CALM_MS = 500;
/** Replies that a client has not read, in octets, before the connection is closed. */
const MAX_UNREAD_BYTES = 1024 * 1024;

export interface HttpsSessionOptions {
  readonly answerer: Answerer;
  readonly source: Source;
  readonly traits: TransportTraits;
  readonly maxQueries: number;
  now(): number;
  onLimit(): void;
}

/** How one request is answered. */
interface Responder {
  reply(message: Uint8Array): void;
  refuse(status: Refusal): void;
}

/** One connection of DNS over HTTPS (RFC 8484), in either version of HTTP. */
export class HttpsSession implements StreamSession {
  private readonly socket: TLSSocket;
  private readonly options: HttpsSessionOptions;
  private http2: ServerHttp2Session | null = null;
  private queries = 0;
  private inFlight = 0;
  private resets = 0;
  private draining = false;
  private limited = false;
  private calmed = false;
  private activeAtMs: number;

  constructor(socket: TLSSocket, options: HttpsSessionOptions) {
    this.socket = socket;
    this.options = options;
    this.activeAtMs = options.now();
    socket.on('error', () => socket.destroy());
  }

  closeIfIdle(nowMs: number, idleMs: number): void {
    const waits = this.inFlight > 0 && this.socket.writableLength === 0;
    if (waits || nowMs - this.activeAtMs < idleMs) return;
    this.closeByLimit();
  }

  /** HTTP/2 says so by GOAWAY (RFC 9113 6.8). */
  drain(): void {
    this.draining = true;
    if (this.http2 !== null) this.http2.close();
    else if (this.inFlight === 0) this.socket.destroySoon();
  }

  /** Speaks HTTP/2 from now on. */
  useHttp2(session: ServerHttp2Session): void {
    this.http2 = session;
    session.on('error', () => this.socket.destroy());
    session.on('stream', (stream, headers) => this.takeStream(stream, headers));
    if (this.draining) session.close();
  }

  /** Answers a request of HTTP/1.1. */
  takeRequest(request: IncomingMessage, response: ServerResponse): void {
    const { 'content-type': type, 'content-length': length } = request.headers;
    const found = readDohRequest(request.method, request.url, type, length);
    const responder: Responder = {
      reply: (message) => {
        response.writeHead(200, this.headers(message));
        response.end(message);
      },
      refuse: (status) => {
        // What may follow of the request is not read.
        const leaves = request.method !== 'GET' || this.draining;
        response.writeHead(status, { 'content-length': 0, ...(leaves && { connection: 'close' }) });
        response.end();
      },
    };
    if (found.kind === 'message') this.ask(found.message, responder);
    else if (found.kind === 'refused') responder.refuse(found.status);
    else this.readBody(request, responder);
  }

  private takeStream(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    stream.on('error', () => {});
    if (this.calmed) {
      stream.close(constants.NGHTTP2_REFUSED_STREAM);
      return;
    }
    stream.on('aborted', () => this.countReset());
    const path = headers[':path'];
    const found = readDohRequest(
      headers[':method'] as string | undefined,
      path as string | undefined,
      headers['content-type'],
      headers['content-length'],
    );
    const responder: Responder = {
      reply: (message) => {
        if (stream.destroyed) return;
        stream.respond({ ':status': 200, ...this.headers(message) });
        stream.end(message);
      },
      refuse: (status) => {
        if (stream.destroyed) return;
        stream.respond({ ':status': status, 'content-length': 0 }, { endStream: true });
        // Of a body that is not taken no more is to be sent (RFC 9113 8.1).
        if (!stream.readableEnded) stream.close(constants.NGHTTP2_NO_ERROR);
      },
    };
    if (found.kind === 'message') this.ask(found.message, responder);
    else if (found.kind === 'refused') responder.refuse(found.status);
    else this.readBody(stream, responder);
  }

  private readBody(from: IncomingMessage | ServerHttp2Stream, responder: Responder): void {
    let body: Buffer | null = null;
    let refused = false;
    from.on('data', (chunk: Buffer) => {
      if (refused) return;
      body = body === null ? chunk : Buffer.concat([body, chunk]);
      if (body.length <= MAX_QUERY_BYTES) return;
      refused = true;
      responder.refuse(413);
    });
    from.on('end', () => {
      if (refused) return;
      if (body !== null && isQuery(body)) this.ask(body, responder);
      else responder.refuse(400);
    });
  }

  private ask(query: Uint8Array, responder: Responder): void {
    const { answerer, source, traits, maxQueries, now } = this.options;
    this.activeAtMs = now();
    this.queries++;
    if (++this.inFlight > MAX_IN_FLIGHT) {
      this.calm();
      return;
    }
    answerer.answer(query, source, traits, (reply) => {
      this.inFlight--;
      if (this.socket.destroyed) return;
      // An ignored source.
      if (reply === null) this.socket.destroy();
      else {
        // It is valid during this call only.
        responder.reply(Buffer.from(reply));
        if (this.socket.writableLength > MAX_UNREAD_BYTES) this.closeByLimit();
        else if (this.draining && this.http2 === null && this.inFlight === 0) this.socket.destroySoon();
      }
    });
    if (this.queries !== maxQueries) return;
    this.countLimit();
    this.drain();
  }

  /** An answer by the account's own choices is not for a cache that others share. */
  private headers(message: Uint8Array) {
    return {
      'content-type': DNS_MESSAGE,
      'content-length': message.length,
      'cache-control': `private, max-age=${maxAgeSeconds(message)}`,
    };
  }

  private countReset(): void {
    if (++this.resets > MAX_RESETS && this.resets * 2 > this.queries) this.calm();
  }

  /** Ends a connection that asks for too much: GOAWAY with its reason, and a moment to read it. */
  private calm(): void {
    this.countLimit();
    if (this.http2 === null) this.socket.destroy();
    else if (!this.calmed && !this.http2.destroyed) {
      this.calmed = true;
      this.http2.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM);
      setTimeout(() => this.socket.destroy(), CALM_MS).unref();
    }
  }

  private closeByLimit(): void {
    this.countLimit();
    this.socket.destroy();
  }

  private countLimit(): void {
    if (!this.limited) this.options.onLimit();
    this.limited = true;
  }
}
