import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest } from 'node:http2';
import { peerAddress, type Source, sourceFromAddress } from '../../net/index.ts';
import type { TransportTraits } from '../answer/query-state.ts';
import type { Answerer } from '../answerer.ts';
import { claimAddress } from '../private-names/admission.ts';
import { ClaimOutcome, type PrivateNames, tokenOfBytes } from '../private-names/index.ts';
import { GUEST_TRAITS, HTTPS_TRAITS } from './listener.ts';
import { maxAgeSeconds } from './max-age.ts';
import { DOH_PATH } from './path.ts';
import { DohMessage, GetQuery, isQuery, MAX_QUERY_BYTES, type PathGate, readDohRequest } from './request.ts';
import { DNS_MESSAGE, RequestHead } from './request-head.ts';

const FORBIDDEN = 403;
const NOT_FOUND = 404;
const TOO_LARGE = 413;
const BAD_REQUEST = 400;
/** Longest body that is read only to be refused. */
const MAX_REFUSED_BYTES = 65_536;

export interface DohHandlerOptions {
  readonly answerer: Answerer;
  /** Null: there are none. */
  readonly privateNames: PrivateNames | null;
}

/** Serves DNS over HTTPS on servers of node:http and node:http2, where it shares a name with the page. */
export class DohHandler {
  private readonly options: DohHandlerOptions;
  private readonly head = new RequestHead();
  private readonly query = new GetQuery();

  constructor(options: DohHandlerOptions) {
    this.options = options;
  }

  /** Answers one request. Sources that are neither registered nor have a live private name get 403 and are closed. */
  serve(request: IncomingMessage, response: ServerResponse): void {
    const peer = peerAddress(request.socket.remoteAddress);
    if (peer === null) {
      refuse(request, response, FORBIDDEN);
      return;
    }
    const source = sourceFromAddress(peer);
    const { answerer, privateNames } = this.options;
    const token = tokenOf(request.url ?? '');
    const isRegistered = answerer.admits(source);
    if (isRegistered || token === null || privateNames === null) {
      if (isRegistered && token !== null) void privateNames?.claim({ token, source, isRegistered });
      if (isRegistered) this.serveAdmitted(request, response, source, HTTPS_TRAITS);
      else refuse(request, response, FORBIDDEN);
      return;
    }
    void claimAddress(privateNames, answerer, { token, source }).then((outcome) => {
      if (outcome === ClaimOutcome.REGISTERED) this.serveAdmitted(request, response, source, HTTPS_TRAITS);
      else if (outcome === ClaimOutcome.LIVE) this.serveAdmitted(request, response, source, GUEST_TRAITS);
      else refuse(request, response, FORBIDDEN);
    });
  }

  private serveAdmitted(
    request: IncomingMessage,
    response: ServerResponse,
    source: Source,
    traits: TransportTraits,
  ): void {
    const found = this.read(request);
    if (found === DohMessage.IN_QUERY) {
      this.answer(this.query.bytes.slice(0, this.query.length), source, traits, response);
    } else if (found === DohMessage.IN_BODY) {
      readBody(request, (body) => {
        if (body === null) refuse(request, response, TOO_LARGE);
        else if (!isQuery(body, 0, body.length)) refuse(request, response, BAD_REQUEST);
        else this.answer(body, source, traits, response);
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
    return head.isMalformed ? BAD_REQUEST : readDohRequest(head, this.query, this.gate);
  }

  /** Tells known paths from others; the source has been admitted. */
  private readonly gate: PathGate = {
    checkPath: (target, end) => {
      const path = Buffer.from(target.subarray(0, end)).toString('latin1');
      const hasNames = this.options.privateNames !== null;
      return path === DOH_PATH || (hasNames && tokenOf(path) !== null) ? 0 : NOT_FOUND;
    },
  };

  private answer(query: Uint8Array, source: Source, traits: TransportTraits, response: ServerResponse): void {
    this.options.answerer.answer(query, source, traits, (reply) => {
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

/** The private name's token in a target; null for others. */
function tokenOf(target: string): string | null {
  const path = target.split('?', 1)[0]!;
  if (!path.startsWith(`${DOH_PATH}/`)) return null;
  const bytes = Buffer.from(path.slice(DOH_PATH.length + 1), 'latin1');
  return tokenOfBytes(bytes, 0, bytes.length);
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
