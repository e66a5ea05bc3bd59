/** HTTP/1.x by Host: requests of one connection to several origins, and what is rejected. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../support/until.ts';
import { Origin, type Peer, RelayBed } from './support.ts';

const HOME = '127.0.0.9';
const head = (...lines: string[]) => `${lines.join('\r\n')}\r\n\r\n`;
const get = (host: string, path = '/') => head(`GET ${path} HTTP/1.1`, `Host: ${host}`);

describe('an HTTP relay', () => {
  let bed: RelayBed;
  const origins: Origin[] = [];

  beforeAll(async () => {
    const first = await Origin.start(serve('first'));
    origins.push(first, await Origin.start(serve('second'), '127.0.0.2', first.port));
    bed = await RelayBed.start({ originPort: first.port });
    bed.names.set('a.films.example', ['127.0.0.1']);
    bed.names.set('b.films.example', ['127.0.0.2']);
    bed.names.set('c.films.example', ['169.254.169.254']);
  });
  afterAll(async () => {
    await bed.stop();
    for (const origin of origins) origin.stop();
  });
  beforeEach(() => bed.register(HOME));
  afterEach(async () => {
    for (const { peers } of origins) for (const { socket } of peers.splice(0)) socket.destroy();
    await until(() => bed.open === 0, 'all have ended');
  });

  const connections = () => origins.map(({ peers }) => peers.length);
  const seen = (origin: number, connection = 0) => origins[origin]!.peers[connection]!.text;

  async function ends(
    client: Peer,
    outcome: Parameters<RelayBed['count']>[0],
    before: number,
  ): Promise<void> {
    await client.until(({ ended, socket }) => ended || socket.destroyed);
    client.socket.destroy();
    await until(() => bed.count(outcome) === before + 1, outcome);
  }

  it('forwards requests unchanged, on one connection per host', async () => {
    const client = await bed.dial({ protocol: 'http' });
    const first = get('a.films.example', '/1');
    client.socket.write(first);
    await client.until(({ text }) => text === 'first 1;');
    const post = `${head('POST /2 HTTP/1.1', 'host: A.films.example:80', 'Content-Length: 5')}hello`;
    client.socket.write(post);
    await client.until(({ text }) => text === 'first 1;first 2;');
    expect(connections()).toEqual([1, 0]);
    expect(seen(0)).toBe(first + post);
    client.socket.end();
    await origins[0]!.peers[0]!.until(({ ended }) => ended);
    origins[0]!.peers[0]!.socket.end();
    expect(await client.closed).toBe('end');
  });

  it("connects to the next host's origin once the previous origin has finished its answers", async () => {
    const client = await bed.dial({ protocol: 'http' });
    const requests = [
      get('a.films.example', '/1'),
      get('a.films.example', '/2'),
      get('b.films.example', '/3'),
    ];
    client.socket.write(requests.join('') + get('a.films.example', '/4'));
    for (const index of [0, 1]) {
      const peer = await origins[index]!.peer(0);
      await peer.until(({ ended }) => ended);
      peer.socket.end();
    }
    await client.until(({ text }) => text === 'first 1;first 2;second 1;first 1;');
    expect(connections()).toEqual([2, 1]);
    expect(seen(0)).toBe(requests[0]! + requests[1]!);
    expect(seen(1)).toBe(requests[2]);
    client.socket.destroy();
  });

  it('serves HTTP/1.0 with a Host until the answer ends', async () => {
    const client = await bed.dial({ protocol: 'http' });
    client.socket.write(head('GET /update.pkg HTTP/1.0', 'Host: a.films.example'));
    const peer = await origins[0]!.peer(0);
    await client.until(({ text }) => text === 'first 1;');
    peer.socket.end('the rest');
    await client.until(({ ended }) => ended);
    expect(client.text).toBe('first 1;the rest');
    client.socket.end();
    await client.closed;
  });

  it.each([
    get('a.films.example.'),
    get('a.films.example.:80'),
    head('GET http://a.films.example./ HTTP/1.1', 'Host: a.films.example.'),
    head('GET http://a.films.example/ HTTP/1.1', 'Host: a.films.example.'),
  ])('serves a Host with a root dot like the name without it: %j', async (request) => {
    const client = await bed.dial({ protocol: 'http' });
    client.socket.write(request);
    await client.until(({ text }) => text === 'first 1;');
    expect((await origins[0]!.peer(0)).text).toBe(request);
    client.socket.destroy();
  });

  it.each([
    ['in the target', 'http://a.films.example:80/', 'a.films.example'],
    ['in Host', 'http://a.films.example/', 'A.films.example.:80'],
    ['left empty', 'http://a.films.example:/', 'a.films.example'],
  ])('takes an absolute target whose default port stands %s', async (_, target, host) => {
    const client = await bed.dial({ protocol: 'http' });
    const request = head(`GET ${target} HTTP/1.1`, `Host: ${host}`);
    client.socket.write(request);
    await client.until(({ text }) => text === 'first 1;');
    expect((await origins[0]!.peer(0)).text).toBe(request);
    client.socket.destroy();
  });

  it('rejects an absolute target of another port than Host', async () => {
    const before = bed.count('MALFORMED');
    const client = await bed.dial({ protocol: 'http' });
    client.socket.write(head('GET http://a.films.example:81/ HTTP/1.1', 'Host: a.films.example'));
    await ends(client, 'MALFORMED', before);
  });

  it('serves HTTP/1.0 as consoles send it: one request, half-close, the whole answer', async () => {
    const client = await bed.dial({ protocol: 'http' });
    const request = head(
      'GET /gs2/ppkgo/prod/app.pkg?serverIpAddr=1 HTTP/1.0',
      'Host: a.films.example',
      'User-Agent: libhttp/10.01 (PlayStation 4)',
      'Range: bytes=0-1023',
      'Accept-Encoding: identity',
      'Connection: close',
    );
    client.socket.end(request);
    const peer = await origins[0]!.peer(0);
    await peer.until(({ ended }) => ended);
    expect(peer.text).toBe(request);
    peer.socket.end('the rest');
    expect(await client.closed).toBe('end');
    expect(client.text).toBe('first 1;the rest');
  });

  it('does not connect if a known host now resolves to a forbidden address', async () => {
    bed.ttlSeconds = 0;
    bed.names.set('d.films.example', ['127.0.0.1']);
    const client = await bed.dial({ protocol: 'http' });
    client.socket.write(get('d.films.example', '/1'));
    await client.until(({ text }) => text === 'first 1;');
    client.socket.destroy();
    for (const { socket } of origins[0]!.peers.splice(0)) socket.destroy();
    const before = bed.count('FORBIDDEN');
    bed.names.set('d.films.example', ['169.254.169.254']);
    const other = await bed.dial({ protocol: 'http' });
    other.socket.write(get('d.films.example', '/2'));
    await ends(other, 'FORBIDDEN', before);
    expect(connections()).toEqual([0, 0]);
    bed.ttlSeconds = 300;
  });

  it.each([
    ['HTTP/1.0 without Host', 'MALFORMED', head('GET / HTTP/1.0')],
    ['an unlisted host', 'UNLISTED', get('films.example.evil.example')],
    ['a host that ends like a listed one', 'UNLISTED', get('evil-films.example')],
    [
      'a listed host in the target alone',
      'MALFORMED',
      head('GET http://a.films.example/ HTTP/1.1', 'Host: evil.example'),
    ],
    ['NUL in the host', 'MALFORMED', get('a.films.example\0.evil.example')],
    ['an address', 'MALFORMED', get('127.0.0.1')],
    ['the metadata address', 'MALFORMED', get('169.254.169.254')],
    ['an IPv6 address', 'MALFORMED', get('[::ffff:127.0.0.1]')],
    ['two dots at the end', 'MALFORMED', get('a.films.example..')],
    ['CONNECT', 'MALFORMED', head('CONNECT a.films.example:80 HTTP/1.1', 'Host: a.films.example')],
    ['TLS', 'MALFORMED', '\x16\x03\x01\x02\x00'],
    ['a listed host that resolves to the metadata address', 'FORBIDDEN', get('c.films.example')],
  ] as const)('closes a connection with %s', async (_, outcome, request) => {
    const before = bed.count(outcome);
    const client = await bed.dial({ protocol: 'http' });
    client.socket.write(request, 'latin1');
    await ends(client, outcome, before);
    expect(connections()).toEqual([0, 0]);
  });

  it('closes a connection that asks for an unlisted host and forwards nothing to it', async () => {
    const before = bed.count('UNLISTED');
    const client = await bed.dial({ protocol: 'http' });
    client.socket.write(get('a.films.example', '/1'));
    await client.until(({ text }) => text === 'first 1;');
    client.socket.write(get('evil.example', '/secret'));
    await ends(client, 'UNLISTED', before);
    expect(seen(0)).not.toContain('secret');
  });

  it('closes connections of unregistered sources, also of those whose registration ended', async () => {
    const before = bed.count('UNREGISTERED');
    const stranger = await bed.dial({ protocol: 'http', from: '127.0.0.66' });
    await ends(stranger, 'UNREGISTERED', before);
    const revoked = bed.count('REVOKED');
    const client = await bed.dial({ protocol: 'http' });
    client.socket.write(get('a.films.example', '/1'));
    await client.until(({ text }) => text === 'first 1;');
    bed.unregister(HOME);
    await ends(client, 'REVOKED', revoked);
  });
});

describe('a balancer before an HTTP relay', () => {
  const BALANCER = '127.0.0.20';
  const v2 = (hex: string) => Buffer.from(`0d0a0d0a000d0a515549540a${hex}`, 'hex');

  it.each([
    ['v1 TCP4', Buffer.from(`PROXY TCP4 ${HOME} 127.0.0.1 1234 80\r\n`), HOME],
    ['v2 TCP4 with TLVs', v2('21110012 7f000009 7f000001 04d20050 0400030000ff'.replaceAll(' ', '')), HOME],
    ['v1 UNKNOWN', Buffer.from('PROXY UNKNOWN\r\n'), BALANCER],
    ['v2 LOCAL', v2('20000000'), BALANCER],
    ['v2 UNIX', v2(`213100d8${'00'.repeat(216)}`), BALANCER],
  ])('sends a %s header: the source is the one that it names', async (_, header, source) => {
    const origin = await Origin.start(serve('first'));
    const policy = { proxyProtocolFrom: [`${BALANCER}/32`] };
    const bed = await RelayBed.start({ originPort: origin.port, policy });
    bed.names.set('a.films.example', ['127.0.0.1']);
    const stranger = await bed.dial({ protocol: 'http', from: BALANCER });
    stranger.socket.on('end', () => stranger.socket.end());
    stranger.socket.write(Buffer.concat([header, Buffer.from(get('a.films.example'))]));
    await stranger.closed;
    expect([bed.count('UNREGISTERED'), origin.peers.length]).toEqual([1, 0]);
    bed.register(source);
    const client = await bed.dial({ protocol: 'http', from: BALANCER });
    client.socket.write(Buffer.concat([header, Buffer.from(get('a.films.example'))]));
    await client.until(({ text }) => text === 'first 1;');
    client.socket.destroy();
    await bed.stop();
    origin.stop();
  });
});

/** Answers each request with `NAME N;`, and ends when asked to. */
function serve(name: string): (peer: Peer) => void {
  return (peer) => {
    let answered = 0;
    peer.socket.on('data', () => {
      const requests = peer.text.split('\r\n\r\n').length - 1;
      while (answered < requests) peer.socket.write(`${name} ${++answered};`);
    });
  };
}
