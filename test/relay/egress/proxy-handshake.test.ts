import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseSocketAddress } from '../../../src/net/index.ts';
import { EgressOutcome } from '../../../src/relay/egress/egress-outcome.ts';
import { HttpConnectHandshake } from '../../../src/relay/egress/http-connect.ts';
import type { HandshakeStep, ProxyHandshake } from '../../../src/relay/egress/proxy-handshake.ts';
import { Socks5Handshake } from '../../../src/relay/egress/socks5.ts';

const CREDENTIALS = { username: 'user', password: 'secret' };
const IPV4 = parseSocketAddress('192.0.2.7:443')!;
const IPV6 = parseSocketAddress('[2001:db8::7]:443')!;
const GRANTED = [5, 0, 0, 1, 0, 0, 0, 0, 0, 0];
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

/** Feeds bytes one by one and returns the last step; bytes to send go into `said`. */
function give(handshake: ProxyHandshake, bytes: Iterable<number>, said: string[] = []): HandshakeStep {
  let last: HandshakeStep = { kind: 'more' };
  for (const byte of bytes) {
    expect(last.kind === 'open' || last.kind === 'failed').toBe(false);
    last = handshake.handle(Uint8Array.of(byte));
    if (last.kind === 'send') said.push(hex(last.bytes));
  }
  return last;
}

const outcomeOf = (answered: HandshakeStep) =>
  answered.kind === 'failed' ? answered.outcome : answered.kind;

describe('SOCKS5', () => {
  it('asks for an address, never a name, and opens when granted', () => {
    const handshake = new Socks5Handshake(null, IPV4);
    expect(hex(handshake.greeting)).toBe('050100');
    const said: string[] = [];
    expect(handshake.isGreeted).toBe(false);
    expect(give(handshake, [5, 0], said).kind).toBe('send');
    expect(handshake.isGreeted).toBe(true);
    expect(said).toEqual(['05010001c000020701bb']);
    expect(give(handshake, GRANTED)).toEqual({ kind: 'open', rest: Buffer.alloc(0) });
  });

  it('sends credentials only when asked (RFC 1929), and asks for IPv6 addresses', () => {
    const handshake = new Socks5Handshake(CREDENTIALS, IPV6);
    expect(hex(handshake.greeting)).toBe('05020002');
    const said: string[] = [];
    give(handshake, [5, 2], said);
    give(handshake, [1, 0], said);
    expect(said).toEqual([
      `0104${Buffer.from('user').toString('hex')}06${Buffer.from('secret').toString('hex')}`,
      '0501000420010db800000000000000000000000701bb',
    ]);
  });

  it.each([
    ['IPv6', [5, 0, 0, 4, ...new Array<number>(18).fill(1)]],
    ['a name', [5, 0, 0, 3, 3, 97, 98, 99, 1, 1]],
  ])('skips the bound address if it is %s and keeps what follows for the client', (_, reply) => {
    const handshake = new Socks5Handshake(null, IPV4);
    give(handshake, [5, 0]);
    const answered = handshake.handle(Uint8Array.from([...reply, 1, 2, 3]));
    expect(answered.kind === 'open' && hex(answered.rest)).toBe('010203');
  });

  it.each([
    [1, 'FAILED'],
    [2, 'FORBIDDEN'],
    [3, 'ORIGIN'],
    [4, 'ORIGIN'],
    [5, 'ORIGIN'],
    [6, 'ORIGIN'],
    [7, 'FAILED'],
    [8, 'FORBIDDEN'],
    [99, 'FAILED'],
  ] as const)('reports reply %i as %s', (reply, outcome) => {
    const handshake = new Socks5Handshake(null, IPV4);
    give(handshake, [5, 0]);
    expect(outcomeOf(give(handshake, [5, reply]))).toBe(EgressOutcome[outcome]);
  });

  it.each([
    ['no method that it has', null, [5, 0xff], 'CREDENTIALS'],
    ['a method that was not offered', null, [5, 2], 'FAILED'],
    ['credentials that are refused', CREDENTIALS, [5, 2, 1, 1], 'CREDENTIALS'],
    ['another version', null, [4, 0], 'FAILED'],
    ['another version of the credentials', CREDENTIALS, [5, 2, 5, 0], 'FAILED'],
    ['another version of the reply', null, [5, 0, 4], 'FAILED'],
    ['an address of no kind', null, [5, 0, 5, 0, 0, 9, 0], 'FAILED'],
    ['HTTP', null, Buffer.from('HT'), 'FAILED'],
  ] as const)('fails if the proxy answers %s', (_, credentials, bytes, outcome) => {
    expect(outcomeOf(give(new Socks5Handshake(credentials, IPV4), bytes))).toBe(EgressOutcome[outcome]);
  });

  it('fails if the proxy sends ahead', () => {
    const answered = new Socks5Handshake(null, IPV4).handle(Uint8Array.of(5, 0, 5));
    expect(outcomeOf(answered)).toBe(EgressOutcome.FAILED);
  });

  it('without a destination ends when the proxy accepts the credentials', () => {
    const handshake = new Socks5Handshake(CREDENTIALS, null);
    give(handshake, [5, 2]);
    expect(give(handshake, [1, 0]).kind).toBe('open');
  });
});

describe('CONNECT', () => {
  it('asks for an address, with Basic credentials if configured', () => {
    const plain = new HttpConnectHandshake(null, IPV4).greeting;
    expect(Buffer.from(plain).toString()).toBe(
      'CONNECT 192.0.2.7:443 HTTP/1.1\r\nHost: 192.0.2.7:443\r\n\r\n',
    );
    const known = new HttpConnectHandshake(CREDENTIALS, IPV6).greeting;
    expect(Buffer.from(known).toString()).toBe(
      'CONNECT [2001:db8::7]:443 HTTP/1.1\r\nHost: [2001:db8::7]:443\r\nProxy-Authorization: Basic dXNlcjpzZWNyZXQ=\r\n\r\n',
    );
  });

  it.each([
    'HTTP/1.1 200 Connection established\r\n\r\n',
    'HTTP/1.0 200 OK\r\nProxy-agent: x\r\nContent-Length: 5\r\n\r\n',
    'HTTP/1.1 204\r\nTransfer-Encoding: chunked\r\n\r\n',
    'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n',
  ])('opens at any 2xx, whatever its fields: %j', (head) => {
    expect(give(new HttpConnectHandshake(null, IPV4), Buffer.from(head)).kind).toBe('open');
    const answered = new HttpConnectHandshake(null, IPV4).handle(Buffer.from(`${head}early`));
    expect(answered.kind === 'open' && Buffer.from(answered.rest).toString()).toBe('early');
  });

  it.each([
    [407, 'CREDENTIALS'],
    [403, 'FORBIDDEN'],
    [405, 'FORBIDDEN'],
    [502, 'ORIGIN'],
    [503, 'ORIGIN'],
    [504, 'ORIGIN'],
    [500, 'FAILED'],
    [302, 'FAILED'],
    [101, 'FAILED'],
  ] as const)('reports %i as %s', (status, outcome) => {
    const answered = give(new HttpConnectHandshake(null, IPV4), Buffer.from(`HTTP/1.1 ${status} x\r\n\r\n`));
    expect(outcomeOf(answered)).toBe(EgressOutcome[outcome]);
  });

  it('fails at other protocols and at an endless head', () => {
    const noise = give(new HttpConnectHandshake(null, IPV4), Buffer.from('SSH-2.0-x\r\n\r\n'));
    expect(outcomeOf(noise)).toBe(EgressOutcome.FAILED);
    const endless = new HttpConnectHandshake(null, IPV4).handle(Buffer.alloc(9000, 'x'));
    expect(outcomeOf(endless)).toBe(EgressOutcome.FAILED);
  });
});

describe('arbitrary bytes of a proxy', () => {
  it('end a handshake or leave it waiting, and never throw', () => {
    fc.assert(
      fc.property(
        fc.boolean(),
        fc.array(fc.uint8Array({ minLength: 1, maxLength: 12 })),
        (isSocks, chunks) => {
          const handshake = isSocks
            ? new Socks5Handshake(CREDENTIALS, IPV4)
            : new HttpConnectHandshake(CREDENTIALS, IPV4);
          for (const chunk of chunks) {
            const { kind } = handshake.handle(chunk);
            if (kind === 'open' || kind === 'failed') return;
          }
        },
      ),
    );
  });
});
