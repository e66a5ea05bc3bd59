import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_HEAD_BYTES, RequestEvent, RequestReader } from '../../../src/relay/http/request-reader.ts';

/** A connection's requests as `host body`, and a final `malformed` if it ends so. */
function read(text: string, sizes: readonly number[] = []): string[] {
  const bytes = Buffer.from(text, 'latin1');
  const reader = new RequestReader();
  const out: string[] = [];
  let from = 0;
  for (const size of [...sizes, bytes.length]) {
    const chunk = bytes.subarray(from, from + size);
    from += chunk.length;
    for (let at = 0; ; ) {
      const event = reader.read(chunk, at);
      if (event === RequestEvent.MALFORMED) return [...out, 'malformed'];
      if (event === RequestEvent.MORE) break;
      if (event === RequestEvent.HEAD) {
        const { hostStart, hostEnd } = reader.head!;
        out.push(`${reader.rawHead.toString('latin1', hostStart, hostEnd)} `);
      } else out[out.length - 1] += chunk.toString('latin1', at, reader.bodyEnd);
      at = reader.next;
    }
  }
  return out;
}

const head = (...lines: string[]) => `${lines.join('\r\n')}\r\n\r\n`;
const TWO = [
  head('POST /a HTTP/1.1', 'Host: a.example:80', 'Content-Length: 5'),
  'hello',
  head('PUT /b HTTP/1.1', 'host:\tB.example ', 'Transfer-Encoding: chunked'),
  '5;x=y\r\nhello\r\n0\r\nTrailer: 1\r\n\r\n',
  '\r\n',
  head('GET http://c.example:81/c?d HTTP/1.1', 'Host: C.example:81'),
].join('');
const TWO_READ = ['a.example hello', 'B.example 5;x=y\r\nhello\r\n0\r\nTrailer: 1\r\n\r\n', 'c.example '];

describe('the requests of a connection', () => {
  it('are split by length, by chunks and without a body', () => {
    expect(read(TWO)).toEqual(TWO_READ);
  });

  it('are split whatever the segment boundaries', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 60 }), (sizes) => {
        expect(read(TWO, sizes)).toEqual(TWO_READ);
      }),
      { numRuns: 100 },
    );
    expect(read(TWO, new Array<number>(TWO.length).fill(1))).toEqual(TWO_READ);
  });

  it('may be HTTP/1.0 with a Host', () => {
    expect(read(head('GET /update.pkg HTTP/1.0', 'Host: a.example'))).toEqual(['a.example ']);
    expect(read(head('GET http://a.example/ HTTP/1.0'))).toEqual(['a.example ']);
  });

  it('are forwarded without upgrade fields', () => {
    const reader = new RequestReader();
    const lines = ['GET / HTTP/1.1', 'Host: a.example', 'Upgrade: h2c', 'HTTP2-Settings: AA', 'X: y'];
    expect(reader.read(Buffer.from(head(...lines)), 0)).toBe(RequestEvent.HEAD);
    expect(reader.headBytes.toString()).toBe(head('GET / HTTP/1.1', 'Host: a.example', 'X: y'));
  });

  it.each([
    ['HTTP/1.0 without Host', head('GET / HTTP/1.0')],
    ['HTTP/1.1 without Host', head('GET / HTTP/1.1', 'Accept: */*')],
    ['HTTP/1.1 in absolute form without Host', head('GET http://a.example/ HTTP/1.1')],
    ['two hosts', head('GET / HTTP/1.1', 'Host: a.example', 'Host: b.example')],
    ['another host in the target', head('GET http://b.example/ HTTP/1.1', 'Host: a.example')],
    ['a target of another scheme', head('GET https://a.example/ HTTP/1.1', 'Host: a.example')],
    ['a user in the target', head('GET http://a.example@b.example/ HTTP/1.1', 'Host: b.example')],
    ['CONNECT', head('CONNECT a.example:443 HTTP/1.1', 'Host: a.example')],
    ['a space before the colon', head('GET / HTTP/1.1', 'Host : a.example')],
    ['a folded line', head('GET / HTTP/1.1', 'Host:', ' a.example')],
    ['an IPv6 host', head('GET / HTTP/1.1', 'Host: [::1]')],
    ['an empty host', head('GET / HTTP/1.1', 'Host:')],
    ['a NUL', head('GET / HTTP/1.1', 'Host: a.example\0')],
    ['a bare CR', head('GET / HTTP/1.1', 'Host: a.example', 'X: a\rb')],
    [
      'length and chunks',
      head('POST / HTTP/1.1', 'Host: a', 'Content-Length: 1', 'Transfer-Encoding: chunked'),
    ],
    ['two lengths', head('POST / HTTP/1.1', 'Host: a', 'Content-Length: 1', 'Content-Length: 1')],
    ['a signed length', head('POST / HTTP/1.1', 'Host: a', 'Content-Length: +1')],
    ['another coding', head('POST / HTTP/1.1', 'Host: a', 'Transfer-Encoding: gzip, chunked')],
    ['chunks in HTTP/1.0', head('POST / HTTP/1.0', 'Host: a', 'Transfer-Encoding: chunked')],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['TLS', '\x16\x03\x01'],
    ['a head without an end', `GET / HTTP/1.1\r\nX: ${'a'.repeat(MAX_HEAD_BYTES)}`],
  ])('are rejected with %s', (_, text) => {
    expect(read(text)).toEqual(['malformed']);
  });

  it.each(['x\r\n', '5\nhello', '-1\r\n', '5\r\nhelloX', '1000000000000\r\n', `1;${'e'.repeat(2000)}`])(
    'are rejected with the chunk %j',
    (chunk) => {
      const lines = ['POST / HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked'];
      expect(read(head(...lines) + chunk).at(-1)).toBe('malformed');
    },
  );

  it('of arbitrary bytes never throw', () => {
    const piece = fc.constantFrom('GET', ' ', '/', 'HTTP/1.1', '\r\n', 'Host:', 'a', ':', '\r', '\n', '\0');
    fc.assert(
      fc.property(fc.array(fc.oneof(piece, fc.string()), { maxLength: 20 }), (pieces) => {
        expect(read(pieces.join('')).length).toBeGreaterThanOrEqual(0);
      }),
      { numRuns: 300 },
    );
  });
});
