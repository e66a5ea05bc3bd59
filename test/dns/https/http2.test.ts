import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ErrorCode, FrameType, Setting } from '../../../src/dns/https/http2/frame.ts';
import { a, query } from '../support.ts';
import {
  ACK,
  block,
  data,
  END_HEADERS,
  END_STREAM,
  fieldsOf,
  frame,
  framesOf,
  get,
  MAGIC,
  PADDED,
  PREFACE,
  PRIORITY,
  postHead,
  request,
  settings,
  told,
  word,
} from './http2-client.ts';
import { FILMS, pathOf, SLOW, Stage, type StageParts } from './support.ts';

const PATH = pathOf(FILMS);

/** A stage after both prefaces. */
function opened(parts: StageParts = {}): Stage {
  const stage = new Stage('h2', parts);
  stage.send(PREFACE);
  stage.channel.taken();
  return stage;
}

const seen = (stage: Stage): string[] => told(framesOf(stage.channel.taken()));

/** Sends bytes behind the preface. @returns the server's frames in words */
function exchange(...sent: Uint8Array[]): string[] {
  const stage = opened();
  stage.send(Buffer.concat(sent));
  return seen(stage);
}

const PSEUDO = [
  [':method', 'GET'],
  [':scheme', 'https'],
  [':path', PATH],
] as const;
const headersOf = (stream: number, fields: readonly (readonly [string, string])[]) =>
  frame(FrameType.HEADERS, END_HEADERS | END_STREAM, stream, block(fields));
const ANSWER = ['1 200', '1 DATA 61 end'];

describe('a request over HTTP/2', () => {
  it('8484 4.1: is answered by GET and POST, with type, length, date and max-age', () => {
    const stage = opened();
    stage.send(
      Buffer.concat([get(1, PATH), postHead(3, ['content-length', `${FILMS.length}`]), data(3, FILMS)]),
    );
    const frames = framesOf(stage.channel.taken());
    expect(told(frames)).toEqual([...ANSWER, '3 200', '3 DATA 61 end']);
    for (const i of [0, 2]) {
      expect(fieldsOf(frames[i]!.payload)).toEqual({
        ':status': '200',
        'content-type': 'application/dns-message',
        date: new Date(stage.edge.unixSeconds * 1000).toUTCString(),
        'cache-control': 'private, max-age=60',
        'content-length': '61',
      });
    }
  });

  it('is answered in one write with all others of the same read', () => {
    const stage = opened();
    stage.send(Buffer.concat([1, 3, 5, 7].map((stream) => get(stream, PATH))));
    expect(stage.channel.writes).toHaveLength(1);
    expect(seen(stage)).toHaveLength(8);
  });

  it('5.1: answers come in any order, as they are ready', async () => {
    const stage = opened();
    stage.send(Buffer.concat([get(1, pathOf(SLOW(1))), get(3, pathOf(SLOW(3))), get(5, PATH)]));
    expect(seen(stage)).toEqual(['5 200', '5 DATA 61 end']);
    await stage.release([1, 0]);
    expect(seen(stage).filter((line) => line.includes('200'))).toEqual(['3 200', '1 200']);
  });

  it.each([
    ['404', ':path', '/'],
    ['404', ':path', '/dns-queryX'],
    ['404', ':path', '/dns-quer'],
    ['400', ':path', '/dns-query'],
    ['400', ':path', '/dns-query?dns='],
    ['400', ':path', `${PATH}&dns=AAAA`],
    ['400', ':path', `${PATH}=`],
    ['200', ':path', `/dns-query?a=b&${PATH.slice(11)}&c`],
    ['414', ':path', `/dns-query?dns=${'A'.repeat(6000)}`],
    ['405', ':method', 'DELETE'],
    ['405', ':method', 'HEAD'],
    ['415', ':method', 'POST'],
  ])('8484 4.1: gets %s for %s %s', (status, name, value) => {
    const fields = new Map([
      [':method', 'GET'],
      [':scheme', 'https'],
      [':path', PATH],
      [name, value],
    ]);
    const lines = exchange(frame(FrameType.HEADERS, END_HEADERS | END_STREAM, 1, block([...fields])));
    expect(lines[0]).toBe(status === '200' ? '1 200' : `1 ${status} end`);
  });

  it('9110 15.5.6: 405 lists the allowed methods', () => {
    const stage = opened();
    stage.send(
      frame(FrameType.HEADERS, END_HEADERS | END_STREAM, 1, block([[':method', 'PUT'], ...PSEUDO.slice(1)])),
    );
    const date = new Date(stage.edge.unixSeconds * 1000).toUTCString();
    const fields = fieldsOf(framesOf(stage.channel.taken())[0]!.payload);
    expect(fields).toEqual({ ':status': '405', allow: 'GET, POST', 'content-length': '0', date });
  });

  it('8.1: a body of more than 4096 bytes gets 413 and RST_STREAM NO_ERROR', () => {
    expect(exchange(postHead(1, ['content-length', '4097']))).toEqual(['1 413 end', '1 RST NO_ERROR']);
    const lines = exchange(
      postHead(1),
      data(1, Buffer.alloc(4000), 0),
      data(1, Buffer.alloc(97), 0),
      data(1, 'more'),
    );
    expect(lines).toEqual(['1 413 end', '1 RST NO_ERROR']);
  });

  it.each([
    ['a body in pieces', postHead(1), data(1, FILMS.subarray(0, 7), 0), data(1, FILMS.subarray(7))],
    ['a body that ends in an empty frame', postHead(1), data(1, FILMS, 0), data(1, '')],
    [
      'a body with padding',
      postHead(1),
      data(1, Buffer.concat([Buffer.from([5]), FILMS, Buffer.alloc(5)]), PADDED | END_STREAM),
    ],
    [
      'trailers behind its body',
      postHead(1),
      data(1, FILMS, 0),
      frame(FrameType.HEADERS, END_HEADERS | END_STREAM, 1, block([['checksum', 'x']])),
    ],
    [
      'padding and a priority in its HEADERS',
      frame(
        FrameType.HEADERS,
        END_HEADERS | END_STREAM | PADDED | PRIORITY,
        1,
        Buffer.concat([Buffer.from([3, 0, 0, 0, 0, 9]), request(PATH), Buffer.alloc(3)]),
      ),
    ],
    [
      'a header block in three frames',
      frame(FrameType.HEADERS, END_STREAM, 1, request(PATH).subarray(0, 9)),
      frame(FrameType.CONTINUATION, 0, 1, request(PATH).subarray(9, 20)),
      frame(FrameType.CONTINUATION, END_HEADERS, 1, request(PATH).subarray(20)),
    ],
    ['extensions before it (5.5)', frame(0x42, 0xff, 0, 'x'), frame(0x42, 0, 1, ''), get(1, PATH)],
    [
      'a host like its :authority, in another case and with the default port (8.3.1)',
      headersOf(1, [...PSEUDO, [':authority', 'dns.example'], ['host', 'DNS.example:443']]),
    ],
    ['a host without :authority (8.3.1)', headersOf(1, [...PSEUDO, ['host', 'dns.example']])],
    [
      'te: trailers (8.2.2)',
      frame(FrameType.HEADERS, END_HEADERS | END_STREAM, 1, request(PATH, ['te', 'trailers'])),
    ],
  ])('is answered: %s', (_, ...sent) => {
    expect(exchange(...(sent as Buffer[]))).toEqual(ANSWER);
  });

  it('8.1: a GET with a body is answered, and RST_STREAM NO_ERROR stops the body', async () => {
    const stage = opened();
    stage.send(frame(FrameType.HEADERS, END_HEADERS, 1, request(PATH)));
    stage.send(frame(FrameType.HEADERS, END_HEADERS, 3, request(pathOf(SLOW(1)))));
    stage.send(Buffer.concat([data(1, 'x', 0), data(3, 'xy', 0)]));
    expect(seen(stage)).toEqual([...ANSWER, '1 RST NO_ERROR']);
    await stage.release();
    expect(seen(stage).at(-1)).toBe('3 RST NO_ERROR');
  });

  it('checks the allowlist at every request', () => {
    const stage = opened();
    stage.edge.unregister('198.51.100.7');
    stage.send(get(1, PATH));
    const [, reply] = framesOf(stage.channel.taken());
    expect(reply!.payload[3]! & 15).toBe(5);
  });

  it('is closed without a reply for an unregistered source with dns.unregistered: drop', () => {
    const stage = opened({ unregistered: 'drop' });
    stage.edge.unregister('198.51.100.7');
    stage.send(get(1, PATH));
    expect([stage.channel.isClosed, stage.channel.taken().length]).toEqual([true, 0]);
  });
});

const headers = (
  stream: number,
  fields: readonly (readonly [string, string])[],
  flags = END_HEADERS | END_STREAM,
) => frame(FrameType.HEADERS, flags, stream, block(fields));

/** Connection errors: section of RFC 9113, error code, bytes that cause it. */
const CONNECTION_ERRORS: readonly (readonly [string, keyof typeof ErrorCode, ...Buffer[]])[] = [
  [
    '4.1: DATA of more than 16,384 bytes',
    'FRAME_SIZE_ERROR',
    frame(FrameType.DATA, 0, 1, Buffer.alloc(16_385)),
  ],
  [
    '4.3: a header block of invalid HPACK',
    'COMPRESSION_ERROR',
    frame(FrameType.HEADERS, 5, 1, Buffer.alloc(8, 0xff)),
  ],
  [
    '4.3: another frame within a header block',
    'PROTOCOL_ERROR',
    frame(FrameType.HEADERS, 1, 1, request(PATH)),
    frame(FrameType.PING, 0, 0, Buffer.alloc(8)),
  ],
  [
    '4.3: a header block of another stream within one',
    'PROTOCOL_ERROR',
    frame(FrameType.HEADERS, 1, 1, request(PATH)),
    frame(FrameType.CONTINUATION, 4, 3, ''),
  ],
  ['5.1: DATA on an idle stream', 'PROTOCOL_ERROR', data(1, 'x')],
  ['5.1: RST_STREAM on an idle stream', 'PROTOCOL_ERROR', frame(FrameType.RST_STREAM, 0, 1, word(8))],
  ['5.1: WINDOW_UPDATE on an idle stream', 'PROTOCOL_ERROR', frame(FrameType.WINDOW_UPDATE, 0, 1, word(8))],
  ['5.1: HEADERS on a closed stream', 'STREAM_CLOSED', get(1, PATH), get(1, PATH)],
  ['5.1.1: an even stream', 'PROTOCOL_ERROR', get(2, PATH)],
  ['5.1.1: a stream below the last one', 'PROTOCOL_ERROR', get(5, PATH), get(3, PATH)],
  ['6.1: DATA on stream 0', 'PROTOCOL_ERROR', data(0, 'x')],
  [
    '6.1: padding as long as DATA',
    'PROTOCOL_ERROR',
    postHead(1),
    data(1, Buffer.from([5, 0, 0, 0, 0]), PADDED),
  ],
  ['6.1: PADDED without a length', 'FRAME_SIZE_ERROR', postHead(1), data(1, '', PADDED)],
  ['6.2: HEADERS on stream 0', 'PROTOCOL_ERROR', get(0, PATH)],
  [
    '6.2: padding longer than HEADERS',
    'PROTOCOL_ERROR',
    frame(FrameType.HEADERS, 0xd, 1, Buffer.from([9, 0x82])),
  ],
  ['6.2: HEADERS too short for its priority', 'FRAME_SIZE_ERROR', frame(FrameType.HEADERS, 0x25, 1, 'abc')],
  ['6.3: PRIORITY on stream 0', 'PROTOCOL_ERROR', frame(FrameType.PRIORITY, 0, 0, Buffer.alloc(5))],
  ['6.4: RST_STREAM on stream 0', 'PROTOCOL_ERROR', frame(FrameType.RST_STREAM, 0, 0, word(8))],
  [
    '6.4: RST_STREAM of a wrong length',
    'FRAME_SIZE_ERROR',
    get(1, pathOf(SLOW(1))),
    frame(FrameType.RST_STREAM, 0, 1, 'abc'),
  ],
  ['6.5: SETTINGS on a stream', 'PROTOCOL_ERROR', frame(FrameType.SETTINGS, 0, 1, '')],
  ['6.5: SETTINGS of a wrong length', 'FRAME_SIZE_ERROR', frame(FrameType.SETTINGS, 0, 0, 'abc')],
  ['6.5: an acknowledgement with a payload', 'FRAME_SIZE_ERROR', frame(FrameType.SETTINGS, ACK, 0, 'abcdef')],
  ['6.5.2: ENABLE_PUSH of 2', 'PROTOCOL_ERROR', settings([Setting.ENABLE_PUSH, 2])],
  ['6.5.2: a window over 2^31-1', 'FLOW_CONTROL_ERROR', settings([Setting.INITIAL_WINDOW_SIZE, 0x80000000])],
  ['6.5.2: a frame size below 16,384', 'PROTOCOL_ERROR', settings([Setting.MAX_FRAME_SIZE, 16_383])],
  ['6.5.2: a frame size over 2^24-1', 'PROTOCOL_ERROR', settings([Setting.MAX_FRAME_SIZE, 0x1000000])],
  ['6.6: PUSH_PROMISE from a client', 'PROTOCOL_ERROR', frame(FrameType.PUSH_PROMISE, 4, 1, word(2))],
  ['6.7: PING on a stream', 'PROTOCOL_ERROR', frame(FrameType.PING, 0, 1, Buffer.alloc(8))],
  ['6.7: PING of a wrong length', 'FRAME_SIZE_ERROR', frame(FrameType.PING, 0, 0, Buffer.alloc(7))],
  ['6.8: GOAWAY on a stream', 'PROTOCOL_ERROR', frame(FrameType.GOAWAY, 0, 1, Buffer.alloc(8))],
  ['6.8: GOAWAY that is too short', 'FRAME_SIZE_ERROR', frame(FrameType.GOAWAY, 0, 0, Buffer.alloc(7))],
  ['6.9: WINDOW_UPDATE of a wrong length', 'FRAME_SIZE_ERROR', frame(FrameType.WINDOW_UPDATE, 0, 0, 'abc')],
  [
    '6.9: an increment of 0 for the connection',
    'PROTOCOL_ERROR',
    frame(FrameType.WINDOW_UPDATE, 0, 0, word(0)),
  ],
  [
    '6.9.1: a connection window over 2^31-1',
    'FLOW_CONTROL_ERROR',
    frame(FrameType.WINDOW_UPDATE, 0, 0, word(0x7fffffff)),
  ],
  [
    '6.9.2: a window over 2^31-1 by settings',
    'FLOW_CONTROL_ERROR',
    get(1, pathOf(SLOW(1))),
    frame(FrameType.WINDOW_UPDATE, 0, 1, word(0x7fff0000)),
    settings([Setting.INITIAL_WINDOW_SIZE, 200_000]),
  ],
  [
    '6.10: CONTINUATION without HEADERS',
    'PROTOCOL_ERROR',
    frame(FrameType.CONTINUATION, 4, 1, request(PATH)),
  ],
  [
    '6.10: CONTINUATION after a complete block',
    'PROTOCOL_ERROR',
    get(1, PATH),
    frame(FrameType.CONTINUATION, 4, 1, ''),
  ],
];

/** Stream errors: section of RFC 9113, error code, bytes that cause it. */
const STREAM_ERRORS: readonly (readonly [string, keyof typeof ErrorCode, ...Buffer[]])[] = [
  ['5.1: DATA on a closed stream', 'STREAM_CLOSED', get(1, PATH), data(1, 'x')],
  ['5.1: DATA on a half-closed stream', 'STREAM_CLOSED', get(1, pathOf(SLOW(1))), data(1, 'x')],
  ['5.1: HEADERS on a half-closed stream', 'STREAM_CLOSED', get(1, pathOf(SLOW(1))), get(1, PATH)],
  [
    '6.3: PRIORITY of a wrong length',
    'FRAME_SIZE_ERROR',
    postHead(1),
    frame(FrameType.PRIORITY, 0, 1, 'abc'),
  ],
  ['6.9: an increment of 0', 'PROTOCOL_ERROR', postHead(1), frame(FrameType.WINDOW_UPDATE, 0, 1, word(0))],
  [
    '6.9.1: a window over 2^31-1',
    'FLOW_CONTROL_ERROR',
    postHead(1),
    frame(FrameType.WINDOW_UPDATE, 0, 1, word(0x7fffffff)),
  ],
  [
    '6.9.1: more padding than the window',
    'FLOW_CONTROL_ERROR',
    postHead(1),
    ...Array.from({ length: 280 }, () =>
      data(1, Buffer.concat([Buffer.from([254, 7]), Buffer.alloc(254)]), PADDED),
    ),
  ],
  ['8.1: trailers without END_STREAM', 'PROTOCOL_ERROR', postHead(1), headers(1, [['a', 'b']], END_HEADERS)],
  ['8.1: a pseudo-header in trailers', 'PROTOCOL_ERROR', postHead(1), headers(1, [[':path', '/']])],
  [
    '8.1.1: a content-length that is too long',
    'PROTOCOL_ERROR',
    postHead(1, ['content-length', '99']),
    data(1, FILMS),
  ],
  [
    '8.1.1: a content-length that is too short',
    'PROTOCOL_ERROR',
    postHead(1, ['content-length', '9']),
    data(1, FILMS),
  ],
  [
    '8.1.1: a content-length without a body',
    'PROTOCOL_ERROR',
    headers(1, [
      [':method', 'POST'],
      ...PSEUDO.slice(1),
      ['content-type', 'application/dns-message'],
      ['content-length', '9'],
    ]),
  ],
  ['8.1.1: a content-length that is not a number', 'PROTOCOL_ERROR', postHead(1, ['content-length', '-1'])],
  [
    '8.1.1: two content-lengths',
    'PROTOCOL_ERROR',
    postHead(1, ['content-length', '33'], ['content-length', '33']),
  ],
  ['8.2.1: a name in upper case', 'PROTOCOL_ERROR', headers(1, [...PSEUDO, ['X-A', 'b']])],
  ['8.2.1: a value with a line end', 'PROTOCOL_ERROR', headers(1, [...PSEUDO, ['x', 'a\r\nb']])],
  ['8.2.2: connection', 'PROTOCOL_ERROR', headers(1, [...PSEUDO, ['connection', 'close']])],
  ['8.2.2: transfer-encoding', 'PROTOCOL_ERROR', headers(1, [...PSEUDO, ['transfer-encoding', 'chunked']])],
  ['8.2.2: keep-alive', 'PROTOCOL_ERROR', headers(1, [...PSEUDO, ['keep-alive', '5']])],
  ['8.2.2: te other than trailers', 'PROTOCOL_ERROR', headers(1, [...PSEUDO, ['te', 'gzip']])],
  ['8.3: an unknown pseudo-header', 'PROTOCOL_ERROR', headers(1, [...PSEUDO, [':foo', 'b']])],
  ['8.3: a pseudo-header of responses', 'PROTOCOL_ERROR', headers(1, [...PSEUDO, [':status', '200']])],
  [
    '8.3: a pseudo-header after a regular field',
    'PROTOCOL_ERROR',
    headers(1, [...PSEUDO.slice(1), ['x', 'y'], PSEUDO[0]]),
  ],
  ['8.3.1: no method', 'PROTOCOL_ERROR', headers(1, PSEUDO.slice(1))],
  ['8.3.1: no path', 'PROTOCOL_ERROR', headers(1, PSEUDO.slice(0, 2))],
  ['8.3.1: no scheme', 'PROTOCOL_ERROR', headers(1, [PSEUDO[0], PSEUDO[2]])],
  ['8.3.1: an empty path', 'PROTOCOL_ERROR', headers(1, [...PSEUDO.slice(0, 2), [':path', '']])],
  [
    '8.3.1: a host other than :authority',
    'PROTOCOL_ERROR',
    headers(1, [...PSEUDO, [':authority', 'dns.example'], ['host', 'dns.example.net']]),
  ],
  [
    '8.3.1: a host of the same length',
    'PROTOCOL_ERROR',
    headers(1, [...PSEUDO, [':authority', 'dns.example'], ['host', 'dns.exampla']]),
  ],
  [
    '8.3.1: two authorities',
    'PROTOCOL_ERROR',
    headers(1, [...PSEUDO, [':authority', 'a.example'], [':authority', 'a.example']]),
  ],
  ['8.3.1: two paths', 'PROTOCOL_ERROR', headers(1, [...PSEUDO, PSEUDO[2]])],
];

describe('protocol errors (RFC 9113)', () => {
  it.each(CONNECTION_ERRORS)('%s ends the connection with %s', (_, code, ...sent) => {
    const stage = opened();
    stage.send(Buffer.concat([...(sent as Buffer[]), get(99, PATH)]));
    expect(seen(stage).at(-1)).toMatch(new RegExp(`^GOAWAY \\d ${code}$`));
    expect(stage.channel.isEnded).toBe(true);
    stage.send(get(101, PATH));
    expect(stage.channel.taken()).toHaveLength(0);
  });

  it.each(STREAM_ERRORS)('%s ends the stream with %s; others are answered', (_, code, ...sent) => {
    const lines = exchange(...(sent as Buffer[]), get(9, PATH)).filter((line) => !line.startsWith('WINDOW'));
    expect(lines.slice(-3)).toEqual([`1 RST ${code}`, '9 200', '9 DATA 61 end']);
  });

  it.each([
    ['another protocol', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    ['no SETTINGS', Buffer.concat([MAGIC, get(1, PATH)])],
    ['an acknowledgement for SETTINGS', Buffer.concat([MAGIC, frame(FrameType.SETTINGS, ACK, 0)])],
  ])('3.4: %s at the start ends the connection', (_, sent) => {
    const stage = new Stage('h2');
    stage.channel.taken();
    stage.send(sent);
    expect(seen(stage)).toEqual(['GOAWAY 0 PROTOCOL_ERROR']);
  });

  it('5.1: late frames for a stream that we ended are ignored', () => {
    const refused = headers(1, [[':method', 'PUT'], ...PSEUDO.slice(1)], END_HEADERS);
    const trailers = headers(1, [['x', 'y']]);
    expect(
      exchange(refused, data(1, 'x', 0), frame(FrameType.WINDOW_UPDATE, 0, 1, word(0)), trailers),
    ).toEqual(['1 405 end', '1 RST NO_ERROR']);
  });

  it('4.3: the block of a refused request still updates the dynamic table', () => {
    const path = Buffer.concat([Buffer.from([0x44, PATH.length]), Buffer.from(PATH)]);
    const first = Buffer.concat([block([['X', 'malformed']]), path]);
    const second = Buffer.from([0x82, 0x87, 0xbe]);
    const lines = exchange(frame(FrameType.HEADERS, 5, 1, first), frame(FrameType.HEADERS, 5, 3, second));
    expect(lines).toEqual(['1 RST PROTOCOL_ERROR', '3 200', '3 DATA 61 end']);
  });
});

describe('SETTINGS and PING', () => {
  it("3.4: the server sends its SETTINGS first and acknowledges the client's", () => {
    const stage = new Stage('h2');
    const [own] = framesOf(stage.channel.taken());
    expect([own!.type, own!.flags, own!.payload.length]).toEqual([FrameType.SETTINGS, 0, 18]);
    stage.send(PREFACE);
    const [ack] = framesOf(stage.channel.taken());
    expect([ack!.type, ack!.flags, ack!.payload.length]).toEqual([FrameType.SETTINGS, ACK, 0]);
  });

  it('6.7: a PING is acknowledged with its bytes, an acknowledgement is not', () => {
    const opaque = Buffer.from('0102030405060708', 'hex');
    expect(exchange(frame(FrameType.PING, 0, 0, opaque), frame(FrameType.PING, ACK, 0, opaque))).toEqual([
      'PING ack 0102030405060708',
    ]);
  });

  it('6.5.3: unknown settings are ignored', () => {
    expect(exchange(settings([0xff, 1], [Setting.MAX_CONCURRENT_STREAMS, 0]), get(1, PATH))).toEqual(ANSWER);
  });
});

describe('flow control (RFC 9113 6.9)', () => {
  const RECORDS = 3000;
  const BIG = query('big.example', 'A', { id: 0 });
  const BIG_BYTES = 12 + 17 + RECORDS * 16;
  function stageWithBig(initialWindow?: number): Stage {
    const stage = opened();
    const records = Array.from({ length: RECORDS }, (_, i) =>
      a('big.example', 300, `10.0.${i >> 8}.${i & 255}`),
    );
    stage.edge.cacheAnswer('big.example', records);
    if (initialWindow !== undefined) stage.send(settings([Setting.INITIAL_WINDOW_SIZE, initialWindow]));
    return stage;
  }
  const dataBytes = (lines: readonly string[]): number =>
    lines.reduce((sum, line) => sum + Number(/DATA (\d+)/.exec(line)?.[1] ?? 0), 0);

  it('4.2: a long response is split into frames', () => {
    const stage = stageWithBig();
    stage.send(get(1, pathOf(BIG)));
    expect(seen(stage)).toEqual([
      '1 200',
      '1 DATA 16384',
      '1 DATA 16384',
      `1 DATA ${BIG_BYTES - 32_768} end`,
    ]);
  });

  it("a response waits for its stream's window and continues as it opens", () => {
    const stage = stageWithBig(10);
    stage.send(Buffer.concat([get(1, pathOf(BIG)), get(3, PATH)]));
    expect(seen(stage)).toEqual(['1 200', '1 DATA 10', '3 200', '3 DATA 10']);
    stage.send(Buffer.concat([1, 3].map((stream) => frame(FrameType.WINDOW_UPDATE, 0, stream, word(30)))));
    expect(seen(stage)).toEqual(['1 DATA 30', '3 DATA 30']);
    stage.send(frame(FrameType.WINDOW_UPDATE, 0, 3, word(1000)));
    expect(seen(stage)).toEqual(['3 DATA 21 end']);
    stage.send(settings([Setting.INITIAL_WINDOW_SIZE, 65_535]));
    expect(dataBytes(seen(stage))).toBe(BIG_BYTES - 40);
  });

  it("a response waits for the connection's window", () => {
    const stage = stageWithBig();
    stage.send(Buffer.concat([get(1, pathOf(BIG)), get(3, pathOf(BIG))]));
    expect(dataBytes(seen(stage))).toBe(65_535);
    stage.send(frame(FrameType.WINDOW_UPDATE, 0, 0, word(100_000)));
    const lines = seen(stage);
    expect([dataBytes(lines), lines.at(-1)!.endsWith('end')]).toEqual([2 * BIG_BYTES - 65_535, true]);
  });

  it('6.9.2: a window may become negative', () => {
    const stage = stageWithBig(1000);
    stage.send(get(1, pathOf(BIG)));
    expect(dataBytes(seen(stage))).toBe(1000);
    stage.send(settings([Setting.INITIAL_WINDOW_SIZE, 0]));
    stage.send(frame(FrameType.WINDOW_UPDATE, 0, 1, word(900)));
    expect(seen(stage)).toEqual([]);
    stage.send(frame(FrameType.WINDOW_UPDATE, 0, 1, word(200)));
    expect(seen(stage)).toEqual(['1 DATA 100']);
  });

  it('6.9.1: WINDOW_UPDATE returns the bytes of received DATA', () => {
    const stage = opened();
    let sent = 0;
    let returned = 0;
    for (let i = 0; i < 40; i++) {
      const body = Buffer.alloc(4000);
      stage.send(Buffer.concat([postHead(2 * i + 1), data(2 * i + 1, body)]));
      sent += body.length;
      for (const line of seen(stage)) returned += Number(/^WINDOW 0 (\d+)/.exec(line)?.[1] ?? 0);
      expect(sent - returned).toBeLessThan(32_768);
    }
    expect(stage.channel.isEnded).toBe(false);
  });

  it('a client that lets responses pile up is disconnected', () => {
    const stage = stageWithBig(0);
    stage.send(Buffer.concat(Array.from({ length: 30 }, (_, i) => get(2 * i + 1, pathOf(BIG)))));
    expect(seen(stage).at(-1)).toBe('GOAWAY 43 ENHANCE_YOUR_CALM');
    expect(stage.limits).toBe(1);
  });

  it('a connection whose window stays closed counts as idle', () => {
    const stage = stageWithBig(0);
    stage.send(get(1, pathOf(BIG)));
    stage.session.closeIfIdle(stage.edge.nowMs + 9000, 10_000);
    expect(stage.channel.isClosed).toBe(false);
    stage.session.closeIfIdle(stage.edge.nowMs + 10_000, 10_000);
    expect([stage.channel.isClosed, stage.limits]).toEqual([true, 1]);
  });
});

describe('limits on an HTTP/2 connection', () => {
  const flood = (burst: (i: number) => Buffer, count: number, stage = opened()): string | undefined => {
    for (let i = 0; i < count && !stage.channel.isEnded; i++) stage.send(burst(i));
    return seen(stage).at(-1)?.replace(/\d+/, 'n');
  };
  const ENHANCE_YOUR_CALM = 'GOAWAY n ENHANCE_YOUR_CALM';

  it.each([
    [
      'rapid resets (CVE-2023-44487)',
      (i: number) =>
        Buffer.concat([get(2 * i + 1, pathOf(SLOW(i))), frame(FrameType.RST_STREAM, 0, 2 * i + 1, word(8))]),
    ],
    [
      'streams that the server must reset (CVE-2025-8671)',
      (i: number) =>
        Buffer.concat([
          get(2 * i + 1, pathOf(SLOW(i))),
          frame(FrameType.WINDOW_UPDATE, 0, 2 * i + 1, word(0)),
        ]),
    ],
    [
      'endless CONTINUATION (CVE-2024-27316)',
      (i: number) => frame(i === 0 ? FrameType.HEADERS : FrameType.CONTINUATION, 0, 1, 'a'),
    ],
    [
      'empty CONTINUATION',
      (i: number) => frame(i === 0 ? FrameType.HEADERS : FrameType.CONTINUATION, 0, 1, ''),
    ],
    ['PING (CVE-2019-9512)', () => frame(FrameType.PING, 0, 0, Buffer.alloc(8))],
    ['SETTINGS (CVE-2019-9515)', () => settings()],
    ['40 settings in one frame', () => settings(...Array.from({ length: 40 }, () => [9, 9] as const))],
    ['PRIORITY (CVE-2019-9513)', () => frame(FrameType.PRIORITY, 0, 1, Buffer.alloc(5))],
    ['WINDOW_UPDATE by 1 (CVE-2019-9511)', () => frame(FrameType.WINDOW_UPDATE, 0, 0, word(1))],
    ['empty DATA (CVE-2019-9518)', (i: number) => (i === 0 ? postHead(1) : data(1, '', 0))],
    ['frames of unknown types', () => frame(0x55, 0, 0, 'x')],
    ['more streams than allowed', (i: number) => get(2 * i + 1, pathOf(SLOW(i)))],
  ])('%s ends in ENHANCE_YOUR_CALM', (_, burst) => {
    const stage = opened();
    expect(flood(burst, 2000, stage)).toBe(ENHANCE_YOUR_CALM);
    expect(stage.limits).toBe(1);
  });

  it('5.1.2: one stream too many is refused, and may be retried', async () => {
    const stage = opened();
    for (let i = 0; i < 101; i++) stage.send(get(2 * i + 1, pathOf(SLOW(i))));
    expect(seen(stage)).toEqual(['201 RST REFUSED_STREAM']);
    await stage.release();
    stage.channel.taken();
    stage.send(get(203, PATH));
    expect(seen(stage)[0]).toBe('203 200');
  });

  it('10.5.1: too large a field list gets 431, and the connection continues', () => {
    const field = Buffer.concat([
      Buffer.from('4001611e', 'hex'),
      Buffer.alloc(30, 0x62),
      Buffer.alloc(10_000, 0xbe),
    ]);
    expect(
      exchange(frame(FrameType.HEADERS, 5, 1, Buffer.concat([request(PATH), field])), get(3, PATH)),
    ).toEqual(['1 431 end', '3 200', '3 DATA 61 end']);
  });

  it('a client that reads nothing is closed before memory grows', () => {
    const stage = opened();
    stage.channel.takes = false;
    for (let i = 0; i < 100_000 && !stage.channel.isEnded; i++) stage.send(get(2 * i + 1, '/'));
    expect(stage.channel.unsentBytes).toBeLessThan(1.2 * 1024 * 1024);
    expect(stage.channel.isEnded).toBe(true);
  });

  it('queriesPerConnection are answered, then the connection ends by GOAWAY', async () => {
    const stage = opened({ maxQueries: 3 });
    stage.send(Buffer.concat([get(1, pathOf(SLOW(1))), get(3, PATH), get(5, PATH), get(7, PATH)]));
    expect(seen(stage)).toEqual(['3 200', '3 DATA 61 end', 'GOAWAY 5 NO_ERROR', '5 200', '5 DATA 61 end']);
    expect([stage.channel.isEnded, stage.limits]).toEqual([false, 1]);
    await stage.release();
    expect([seen(stage)[0], stage.channel.isEnded]).toEqual(['1 200', true]);
  });

  it('a request that is incomplete after 5 s is given up', () => {
    const stage = opened();
    stage.send(Buffer.concat([postHead(1), data(1, 'x', 0)]));
    stage.edge.nowMs += 6000;
    stage.session.closeIfIdle(stage.edge.nowMs, 60_000);
    expect(seen(stage)).toEqual(['1 RST CANCEL']);
    const half = opened();
    half.send(get(1, PATH).subarray(0, 5));
    half.edge.nowMs += 4000;
    half.send(get(1, PATH).subarray(5, 10));
    half.edge.nowMs += 2000;
    half.session.closeIfIdle(half.edge.nowMs, 60_000);
    expect(seen(half)).toEqual(['GOAWAY 0 ENHANCE_YOUR_CALM']);
  });

  it('a connection that waits for its answer is not idle', () => {
    const stage = opened();
    stage.send(get(1, pathOf(SLOW(1))));
    stage.session.closeIfIdle(stage.edge.nowMs + 60_000, 10_000);
    expect(stage.channel.isClosed).toBe(false);
  });
});

describe('the end of an HTTP/2 connection', () => {
  it('6.8: GOAWAY names the last stream, pending ones are answered, then it ends', async () => {
    const stage = opened();
    stage.send(Buffer.concat([get(1, pathOf(SLOW(1))), get(3, PATH)]));
    stage.channel.taken();
    stage.session.drain();
    expect(seen(stage)).toEqual(['GOAWAY 3 NO_ERROR']);
    stage.send(get(5, PATH));
    expect([seen(stage), stage.channel.isEnded]).toEqual([[], false]);
    await stage.release();
    expect([seen(stage)[0], stage.channel.isEnded]).toEqual(['1 200', true]);
  });

  it('comes at once if nothing is pending', () => {
    const stage = opened();
    stage.session.drain();
    expect([seen(stage), stage.channel.isEnded]).toEqual([['GOAWAY 0 NO_ERROR'], true]);
  });

  it('by the client: its requests are still answered', async () => {
    const stage = opened();
    stage.send(Buffer.concat([get(1, pathOf(SLOW(1))), frame(FrameType.GOAWAY, 0, 0, Buffer.alloc(8))]));
    stage.session.ended();
    await stage.release();
    expect([seen(stage)[0], stage.channel.isEnded]).toEqual(['1 200', true]);
  });

  it('before a pending answer: nothing is sent', async () => {
    const stage = opened();
    stage.send(get(1, pathOf(SLOW(1))));
    stage.channel.destroy();
    await stage.release();
    expect(stage.channel.taken()).toHaveLength(0);
  });

  it('of a stream before its answer: nothing is sent for it', async () => {
    const stage = opened();
    stage.send(
      Buffer.concat([get(1, pathOf(SLOW(1))), frame(FrameType.RST_STREAM, 0, 1, word(8)), get(3, PATH)]),
    );
    await stage.release();
    expect(seen(stage)).toEqual(['3 200', '3 DATA 61 end']);
  });
});

describe('HTTP/2 bytes in any pieces', () => {
  const CONVERSATION = Buffer.concat([
    PREFACE,
    get(1, PATH),
    postHead(3),
    data(3, FILMS.subarray(0, 20), 0),
    frame(FrameType.PING, 0, 0, 'pingping'),
    data(3, FILMS.subarray(20)),
    get(5, '/other'),
    frame(FrameType.HEADERS, END_STREAM, 7, request(PATH).subarray(0, 30)),
    frame(FrameType.CONTINUATION, END_HEADERS, 7, request(PATH).subarray(30)),
    postHead(9),
    data(9, Buffer.alloc(5000)),
    get(11, PATH),
  ]);

  function replay(sent: Buffer, cuts: readonly number[]): Stage {
    const stage = new Stage('h2');
    let from = 0;
    for (const cut of [...cuts].sort((x, y) => x - y)) {
      stage.send(sent.subarray(from, cut));
      from = cut;
    }
    stage.send(sent.subarray(from));
    return stage;
  }
  const whole = told(framesOf(replay(CONVERSATION, []).channel.taken()));

  it('are read the same one by one', () => {
    const every = Array.from({ length: CONVERSATION.length }, (_, i) => i);
    expect(told(framesOf(replay(CONVERSATION, every).channel.taken()))).toEqual(whole);
    expect(whole).toHaveLength(11);
  });

  it('are read the same in any pieces', () => {
    const cuts = fc.array(fc.nat(CONVERSATION.length), { maxLength: 12 });
    fc.assert(
      fc.property(cuts, (at) => {
        expect(told(framesOf(replay(CONVERSATION, at).channel.taken()))).toEqual(whole);
      }),
      { numRuns: 150 },
    );
  });

  it('are answered by whole frames, or the connection ends, after any mutation', () => {
    const changes = fc.array(fc.tuple(fc.nat(CONVERSATION.length - 1), fc.nat(255)), {
      minLength: 1,
      maxLength: 8,
    });
    fc.assert(
      fc.property(changes, fc.array(fc.nat(CONVERSATION.length), { maxLength: 4 }), (mutations, cuts) => {
        const mutated = Buffer.from(CONVERSATION);
        for (const [at, value] of mutations) mutated[at] = value;
        const stage = replay(mutated, cuts);
        const lines = told(framesOf(stage.channel.taken()));
        const isOver = lines.at(-1)?.startsWith('GOAWAY') ?? false;
        expect(stage.channel.isEnded || stage.channel.isClosed).toBe(isOver);
      }),
      { numRuns: 500 },
    );
  });
});
