import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readReply } from '../../support/dns-client.ts';
import { a, query } from '../support.ts';
import { FILMS, pathOf, SLOW, Stage, type StageParts } from './support.ts';

interface Response {
  status: number;
  headers: Record<string, string>;
  body: Buffer;
}

/** Splits the server's bytes into responses. */
function responsesOf(bytes: Buffer): Response[] {
  const responses: Response[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf('\r\n\r\n', at);
    const [line, ...fields] = bytes.toString('latin1', at, end).split('\r\n');
    const headers = Object.fromEntries(fields.map((field) => field.split(/: (.*)/).slice(0, 2)));
    const length = Number(headers['content-length'] ?? 0);
    at = end + 4 + length;
    responses.push({ status: Number(line!.split(' ')[1]), headers, body: bytes.subarray(end + 4, at) });
  }
  return responses;
}

const opened = (parts: StageParts = {}): Stage => new Stage('http/1.1', parts);
const seen = (stage: Stage): Response[] => responsesOf(stage.channel.taken());
const statuses = (stage: Stage): number[] => seen(stage).map(({ status }) => status);

const head = (line: string, ...fields: string[]): string =>
  `${[line, 'Host: dns.example', ...fields].join('\r\n')}\r\n\r\n`;
const GET = head(`GET ${pathOf(FILMS)} HTTP/1.1`);
const DNS = 'Content-Type: application/dns-message';
const post = (body: Uint8Array | string, ...fields: string[]): Buffer =>
  Buffer.concat([Buffer.from(head('POST /dns-query HTTP/1.1', DNS, ...fields)), Buffer.from(body as string)]);
const POST = post(FILMS, `Content-Length: ${FILMS.length}`);
const CHUNKED = 'Transfer-Encoding: chunked';
const chunks = (...parts: readonly Uint8Array[]): Buffer =>
  Buffer.concat([
    ...parts.flatMap((part) => [Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from('\r\n')]),
    Buffer.from('0\r\n\r\n'),
  ]);

/** Sends bytes. @returns the statuses, and `end` if the connection ends */
function answered(sent: Uint8Array | string): [statuses: number[], isEnded: boolean] {
  const stage = opened();
  stage.send(Buffer.from(sent as string));
  return [statuses(stage), stage.channel.isEnded];
}

describe('a request over HTTP/1.1', () => {
  it.each([
    ['GET', Buffer.from(GET)],
    ['POST', POST],
    ['POST in chunks', post(chunks(FILMS.subarray(0, 9), FILMS.subarray(9)), CHUNKED)],
    [
      'GET with a whole URL (9112 3.2.2)',
      Buffer.from(head(`GET https://dns.example${pathOf(FILMS)} HTTP/1.1`)),
    ],
    ['GET behind empty lines (9112 2.2)', Buffer.from(`\r\n\r\n${GET}`)],
    ['GET with fields in any case and space', Buffer.from(GET.replace('Host: ', 'hOsT:\t '))],
  ])('8484 4.1: %s is answered, with type, length, date and max-age', (_, sent) => {
    const stage = opened();
    stage.send(sent);
    const [{ status, headers, body }] = seen(stage) as [Response];
    expect(status).toBe(200);
    expect(headers).toEqual({
      'content-type': 'application/dns-message',
      date: new Date(stage.edge.unixSeconds * 1000).toUTCString(),
      'cache-control': 'private, max-age=60',
      'content-length': `${body.length}`,
    });
    expect([readReply(body).id, readReply(body).data.length]).toEqual([0, 2]);
    expect(stage.channel.isEnded).toBe(false);
  });

  it('9112 9.3.2: pipelined requests are answered in order, in one write', async () => {
    const stage = opened();
    stage.send(Buffer.concat([Buffer.from(GET), POST, Buffer.from(GET)]));
    expect([stage.channel.writes.length, statuses(stage)]).toEqual([1, [200, 200, 200]]);
    stage.send(Buffer.from(head(`GET ${pathOf(SLOW(1))} HTTP/1.1`) + GET + GET.slice(0, 20)));
    expect([statuses(stage), stage.channel.isPaused]).toEqual([[], true]);
    await stage.release();
    expect([seen(stage).map(({ body }) => readReply(body).data.length), stage.channel.isPaused]).toEqual([
      [1, 2],
      false,
    ]);
    stage.send(Buffer.from(GET.slice(20)));
    expect(statuses(stage)).toEqual([200]);
  });

  it('9112 9.6: Connection: close ends the connection after the answer', async () => {
    for (const fields of ['Connection: close', 'Connection: foo ,Close', 'connection: CLOSE']) {
      const stage = opened();
      stage.send(Buffer.from(head(`GET ${pathOf(SLOW(1))} HTTP/1.1`, fields) + GET));
      await stage.release();
      const [first, ...others] = seen(stage);
      expect([first!.headers['connection'], others.length, stage.channel.isEnded]).toEqual([
        'close',
        0,
        true,
      ]);
    }
    expect(answered(head(`GET ${pathOf(FILMS)} HTTP/1.0`))).toEqual([[200], true]);
    expect(answered(head(`GET ${pathOf(FILMS)} HTTP/1.1`, 'Connection: keep-alive'))).toEqual([[200], false]);
  });

  it('9110 10.1.1: Expect: 100-continue gets 100 before the body', () => {
    const stage = opened();
    stage.send(post('', 'Expect: 100-continue', `Content-Length: ${FILMS.length}`));
    expect(stage.channel.taken().toString()).toBe('HTTP/1.1 100 Continue\r\n\r\n');
    stage.send(FILMS);
    expect(statuses(stage)).toEqual([200]);
    expect(answered(post(FILMS, 'Expect: 100-continue', `Content-Length: ${FILMS.length}`))[0]).toEqual([
      200,
    ]);
    expect(answered(head('GET / HTTP/1.1', 'Expect: magic'))).toEqual([[417], true]);
  });

  it.each([
    [404, false, head('GET / HTTP/1.1')],
    [405, false, head(`HEAD ${pathOf(FILMS)} HTTP/1.1`)],
    [405, false, head('DELETE /dns-query HTTP/1.1')],
    [405, false, head('OPTIONS /dns-query HTTP/1.1')],
    [400, false, head('GET /dns-query HTTP/1.1')],
    [404, false, head('OPTIONS * HTTP/1.1')],
    [414, false, head(`GET /dns-query?dns=${'A'.repeat(6000)} HTTP/1.1`)],
    [415, true, head('POST /dns-query HTTP/1.1', 'Content-Length: 9')],
    [400, false, post('')],
    [400, false, post('', 'Content-Length: 0')],
    [400, false, post('hello', 'Content-Length: 5')],
    [400, false, post(chunks(), CHUNKED)],
    [413, true, post('', 'Content-Length: 4097')],
    [413, true, post(chunks(Buffer.alloc(4097)), CHUNKED)],
    [413, true, post(chunks(...Array.from({ length: 5000 }, () => Buffer.alloc(1))), CHUNKED)],
    [431, true, head('GET / HTTP/1.1', `x: ${'y'.repeat(17_000)}`)],
    [431, true, `GET / HTTP/1.1\r\n${'x'.repeat(17_000)}`],
    [431, true, head('GET / HTTP/1.1', ...Array.from({ length: 65 }, (_, i) => `x${i}: y`))],
    [501, true, post(chunks(FILMS), 'Transfer-Encoding: gzip, chunked')],
  ] as const)('gets %i; the connection ends: %s', (status, ends, sent) => {
    expect(answered(sent)).toEqual([[status], ends]);
  });

  it('9110 15.5.6: 405 lists the allowed methods', () => {
    const stage = opened();
    stage.send(Buffer.from(head('PUT /dns-query HTTP/1.1')));
    expect(seen(stage)[0]!.headers['allow']).toBe('GET, POST');
  });

  it('9112 9.3: a refused request with an unread body ends the connection', () => {
    const smuggled = GET;
    const sent = head(`GET ${pathOf(FILMS)} HTTP/1.1`, `Content-Length: ${smuggled.length}`) + smuggled;
    expect(answered(sent)).toEqual([[200], true]);
  });

  it('is closed without a reply for an unregistered source with dns.unregistered: drop', () => {
    const stage = opened({ unregistered: 'drop' });
    stage.edge.unregister('198.51.100.7');
    stage.send(Buffer.from(GET));
    expect([stage.channel.isClosed, stage.channel.taken().length]).toEqual([true, 0]);
  });
});

describe('request smuggling (RFC 9112 11.2): ambiguous requests are refused, and nothing behind them is read', () => {
  const line = `GET ${pathOf(FILMS)} HTTP/1.1`;
  it.each([
    ['3: two spaces in the request line', `${line.replace('GET ', 'GET  ')}\r\nHost: a\r\n\r\n`],
    ['3: no target', 'GET HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['3: another version', `${line.replace('1.1', '2.0')}\r\nHost: a\r\n\r\n`],
    ['3: a version in another case', `${line.replace('HTTP', 'http')}\r\nHost: a\r\n\r\n`],
    ['3: space behind the version', `${line} \r\nHost: a\r\n\r\n`],
    ['3: a method with an invalid character', `G@T${line.slice(3)}\r\nHost: a\r\n\r\n`],
    ['2.2: lines that end with LF alone', `${line}\nHost: a\n\n`],
    ['2.2: a line that ends with LF alone', `${line}\r\nHost: a\nx: y\r\n\r\n`],
    ['2.2: CR within a line', `${line}\r\nHost: a\rx: y\r\n\r\n`],
    ['2.2: a field before the request line', ` ${line}\r\nHost: a\r\n\r\n`],
    ['3.2: no Host', `${line}\r\n\r\n`],
    ['3.2: two Hosts', `${line}\r\nHost: a\r\nHost: a\r\n\r\n`],
    ['5.1: space before the colon', `${line}\r\nHost : a\r\n\r\n`],
    ['5.1: no colon', `${line}\r\nHost: a\r\nfoo\r\n\r\n`],
    ['5.1: no name', `${line}\r\nHost: a\r\n: b\r\n\r\n`],
    ['5.2: a folded line', `${line}\r\nHost: a\r\n b: c\r\n\r\n`],
    ['5.5: NUL in a value', `${line}\r\nHost: a\r\nx: \0\r\n\r\n`],
    ['6.1: chunks and a length', post(chunks(FILMS), CHUNKED, `Content-Length: ${FILMS.length}`)],
    ['6.1: a length and chunks', post(chunks(FILMS), `Content-Length: ${FILMS.length}`, CHUNKED)],
    ['6.1: chunks in HTTP/1.0', `POST /dns-query HTTP/1.0\r\n${DNS}\r\n${CHUNKED}\r\n\r\n0\r\n\r\n`],
    ['6.3: two lengths', post(FILMS, 'Content-Length: 33', 'Content-Length: 33')],
    ['6.3: a list of lengths', post(FILMS, 'Content-Length: 33, 33')],
    ['6.3: a length with a sign', post(FILMS, 'Content-Length: +33')],
    ['6.3: a length in hexadecimal', post(FILMS, 'Content-Length: 0x21')],
    ['6.3: an empty length', post(FILMS, 'Content-Length:')],
    ['7.1: a chunk size that is not a number', post('zz\r\n', CHUNKED)],
    ['7.1: a chunk size with a sign', post('-1\r\n', CHUNKED)],
    ['7.1: a chunk size with space before it', post(' 1\r\nx\r\n0\r\n\r\n', CHUNKED)],
    ['7.1: a chunk size that ends with LF alone', post('1\nx\r\n0\r\n\r\n', CHUNKED)],
    ['7.1: a chunk longer than it says', post('1\r\nxx\r\n0\r\n\r\n', CHUNKED)],
    ['7.1: a chunk size of many digits', post('00000000021\r\n', CHUNKED)],
  ])('%s', (_, sent) => {
    const [[status, ...others], isEnded] = answered(
      Buffer.concat([Buffer.from(sent as string), Buffer.from(GET)]),
    );
    expect([status, others, isEnded]).toEqual([400, [], true]);
  });

  it('7.1: chunk extensions and trailers are ignored', () => {
    const size = FILMS.length.toString(16);
    const body = Buffer.concat([
      Buffer.from(`${size};a=b\r\n`),
      FILMS,
      Buffer.from('\r\n0;x\r\nchecksum: y\r\n\r\n'),
    ]);
    expect(answered(Buffer.concat([post(body, CHUNKED), Buffer.from(GET)]))).toEqual([[200, 200], false]);
  });

  it('6.1: chunked twice is refused', () => {
    expect(answered(post(chunks(FILMS), CHUNKED, CHUNKED))).toEqual([[501], true]);
  });
});

describe('limits on an HTTP/1.1 connection', () => {
  it('a request that is incomplete after 5 s ends it', () => {
    for (const part of [GET.slice(0, 30), POST.subarray(0, POST.length - 1)]) {
      const stage = opened();
      stage.send(Buffer.from(part as string));
      stage.edge.nowMs += 4000;
      stage.send(Buffer.from('x'));
      stage.session.closeIfIdle(stage.edge.nowMs, 60_000);
      if (!stage.channel.taken().length) expect(stage.channel.isClosed).toBe(false);
    }
    const stage = opened();
    stage.send(Buffer.from(GET.slice(0, 30)));
    stage.edge.nowMs += 5001;
    stage.session.closeIfIdle(stage.edge.nowMs, 60_000);
    expect([stage.channel.isClosed, stage.limits]).toEqual([true, 1]);
  });

  it('an idle connection is closed; one that waits for its answer is not', () => {
    const [idle, waiting] = [opened(), opened()];
    idle.send(Buffer.from(GET));
    waiting.send(Buffer.from(head(`GET ${pathOf(SLOW(1))} HTTP/1.1`)));
    for (const stage of [idle, waiting]) stage.session.closeIfIdle(stage.edge.nowMs + 10_000, 10_000);
    expect([idle.channel.isClosed, waiting.channel.isClosed]).toEqual([true, false]);
  });

  it('a client that reads nothing is closed before memory grows', () => {
    const stage = opened();
    const records = Array.from({ length: 3000 }, (_, i) =>
      a('big.example', 300, `10.0.${i >> 8}.${i & 255}`),
    );
    stage.edge.cacheAnswer('big.example', records);
    stage.channel.takes = false;
    const big = head(`GET ${pathOf(query('big.example', 'A', { id: 0 }))} HTTP/1.1`);
    stage.send(Buffer.from(big.repeat(300)));
    expect(stage.channel.isClosed).toBe(true);
    expect(stage.channel.unsentBytes).toBeLessThan(1.3 * 1024 * 1024);
  });

  it('queriesPerConnection are answered, the last one with Connection: close', () => {
    const stage = opened({ maxQueries: 2 });
    stage.send(Buffer.from(GET.repeat(3)));
    const responses = seen(stage);
    expect(responses.map(({ headers }) => headers['connection'])).toEqual([undefined, 'close']);
    expect([stage.channel.isEnded, stage.limits]).toEqual([true, 1]);
  });
});

describe('the end of an HTTP/1.1 connection', () => {
  it('waits for the pending answer, and comes at once without one', async () => {
    const [idle, waiting] = [opened(), opened()];
    waiting.send(Buffer.from(head(`GET ${pathOf(SLOW(1))} HTTP/1.1`)));
    for (const stage of [idle, waiting]) stage.session.drain();
    expect([idle.channel.isEnded, waiting.channel.isEnded]).toEqual([true, false]);
    await waiting.release();
    expect(seen(waiting).map(({ headers }) => headers['connection'])).toEqual(['close']);
    expect(waiting.channel.isEnded).toBe(true);
  });

  it('by the client: its requests are still answered', async () => {
    const stage = opened();
    stage.send(Buffer.from(head(`GET ${pathOf(SLOW(1))} HTTP/1.1`)));
    stage.session.ended();
    await stage.release();
    expect([statuses(stage), stage.channel.isEnded]).toEqual([[200], true]);
  });
});

describe('HTTP/1.1 bytes in any pieces', () => {
  const CONVERSATION = Buffer.concat([
    Buffer.from(GET),
    POST,
    post(chunks(FILMS.subarray(0, 5), FILMS.subarray(5)), CHUNKED),
    Buffer.from(head('GET /other HTTP/1.1')),
    Buffer.from(GET),
  ]);
  function replay(sent: Buffer, cuts: readonly number[]): Stage {
    const stage = opened();
    let from = 0;
    for (const cut of [...cuts].sort((x, y) => x - y)) {
      stage.send(sent.subarray(from, cut));
      from = cut;
    }
    stage.send(sent.subarray(from));
    return stage;
  }

  it('are read the same one by one and in any pieces', () => {
    const every = Array.from({ length: CONVERSATION.length }, (_, i) => i);
    expect(statuses(replay(CONVERSATION, every))).toEqual([200, 200, 200, 404, 200]);
    fc.assert(
      fc.property(fc.array(fc.nat(CONVERSATION.length), { maxLength: 12 }), (cuts) => {
        expect(statuses(replay(CONVERSATION, cuts))).toEqual([200, 200, 200, 404, 200]);
      }),
      { numRuns: 150 },
    );
  });

  it('are answered, or the connection ends, after any mutation', () => {
    const changes = fc.array(fc.tuple(fc.nat(CONVERSATION.length - 1), fc.nat(255)), {
      minLength: 1,
      maxLength: 8,
    });
    fc.assert(
      fc.property(changes, fc.array(fc.nat(CONVERSATION.length), { maxLength: 4 }), (mutations, cuts) => {
        const sent = Buffer.from(CONVERSATION);
        for (const [at, value] of mutations) sent[at] = value;
        const stage = replay(sent, cuts);
        const closes = seen(stage).map(({ headers }) => headers['connection'] === 'close');
        expect(closes.slice(0, -1)).not.toContain(true);
        expect(stage.channel.isEnded).toBe(closes.at(-1) ?? false);
      }),
      { numRuns: 500 },
    );
  });
});
