import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest } from 'node:http2';
import { peerAddress, sourceFromAddress } from '../../net/index.ts';
import type { Answerer } from '../answerer.ts';
import { HTTPS_TRAITS } from './listener.ts';
import { maxAgeSeconds } from './max-age.ts';
import { DohMessage, GetQuery, isQuery, MAX_QUERY_BYTES, readDohRequest } from './request.ts';
import { DNS_MESSAGE, RequestHead } from './request-head.ts';

const FORBIDDEN = 403;
const TOO_LARGE = 413;
const BAD_REQUEST = 400;
/** Longest body that is read only to be refused. */
const MAX_REFUSED_BYTES = 65_536;

/** Serves DNS over HTTPS on servers of node:http and node:http2, where it shares a name with the page. */
export class DohHandler {
  private readonly answerer: Answerer;
  private readonly head = new RequestHead();
  private readonly query = new GetQuery();

  constructor(answerer: Answerer) {
    this.answerer = answerer;
  }

  /** Answers one request. Unregistered sources get 403, and their connection is closed. */
  serve(request: IncomingMessage, response: ServerResponse): void {
    const peer = peerAddress(request.socket.remoteAddress);
    const source = peer === null ? null : sourceFromAddress(peer);
    if (source === null || !this.answerer.admits(source)) {
      refuse(request, response, FORBIDDEN);
      return;
    }
    const found = this.read(request);
    if (found === DohMessage.IN_QUERY) {
      this.answer(this.query.bytes.slice(0, this.query.length), source, response);
    } else if (found === DohMessage.IN_BODY) {
      readBody(request, (body) => {
        if (body === null) refuse(request, response, TOO_LARGE);
        else if (!isQuery(body, 0, body.length)) refuse(request, response, BAD_REQUEST);
        else this.answer(body, source, response);
      });
    } else refuse(request, response, found);
  }

  private read({ method = '', url = '', headers }: IncomingMessage): ReturnType<typeof readDohRequest> {
    const { head } = this;
    head.begin(false);
    const set = (text: string, to: (bytes: Uint8Array, start: number, end: number) => void): void => {
      const bytes = Buffer.from(text, 'latin1');
      to.call(head, bytes, 0, bytes.length);
    };
    set(method, head.setMethod);
    set(url, head.setTarget);
    if (headers['content-type'] !== undefined) set(headers['content-type'], head.setContentType);
    if (headers['content-length'] !== undefined) set(headers['content-length'], head.setContentLength);
    return head.isMalformed ? BAD_REQUEST : readDohRequest(head, this.query);
  }

  private answer(
    query: Uint8Array,
    source: ReturnType<typeof sourceFromAddress>,
    response: ServerResponse,
  ): void {
    this.answerer.answer(query, source, HTTPS_TRAITS, (reply) => {
      if (reply === null || response.destroyed) {
        response.destroy();
        return;
      }
      response.writeHead(200, {
        'content-type': DNS_MESSAGE,
        'content-length': reply.length,
        'cache-control': `max-age=${maxAgeSeconds(reply, reply.length)}`,
      });
      response.end(Buffer.from(reply));
    });
  }
}

/** Collects a body; null if it is too large or broken off. */
function readBody(request: IncomingMessage, done: (body: Buffer | null) => void): void {
  const chunks: Buffer[] = [];
  let bytes = 0;
  let isDone = false;
  const finish = (body: Buffer | null): void => {
    if (!isDone) done(body);
    isDone = true;
  };
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= MAX_QUERY_BYTES) chunks.push(chunk);
    else finish(null);
  });
  request.once('end', () => finish(Buffer.concat(chunks)));
  request.once('error', () => finish(null));
}

/** Refuses a request once its body has been read: an unread body would reset the connection under the answer. */
function refuse(request: IncomingMessage, response: ServerResponse, status: number): void {
  const isHttp2 = request.httpVersionMajor === 2;
  const closes = status === FORBIDDEN;
  const reply = (): void => {
    if (response.destroyed) return;
    if (closes && !isHttp2) response.setHeader('connection', 'close');
    if (closes && isHttp2) response.once('close', () => closeSession(session));
    response.writeHead(status, { 'content-length': 0 });
    response.end();
  };
  // The stream forgets its session when it closes.
  const session = isHttp2 ? (request as unknown as Http2ServerRequest).stream.session : undefined;
  if (request.readableEnded) {
    reply();
    return;
  }
  let bytes = 0;
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > MAX_REFUSED_BYTES) request.destroy();
  });
  request.once('end', reply);
}

/** Lets the answer out first. */
function closeSession(session: Http2ServerRequest['stream']['session']): void {
  setImmediate(() => session?.close());
}
