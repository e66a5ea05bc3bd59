import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ListenError } from '../../src/net/index.ts';
import { ControlBench } from '../support/control.ts';

let bench: ControlBench;
beforeEach(async () => {
  bench = await ControlBench.make();
});
afterEach(() => bench.control.close(0));

/** Writes to a new connection and reads until it closes. */
async function exchange(port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  socket.write(text);
  return readAll(socket);
}

async function readAll(socket: Socket): Promise<string> {
  let received = '';
  socket.setEncoding('latin1').on('data', (chunk) => {
    received += chunk;
  });
  await once(socket, 'close');
  return received;
}

const GET_IP = 'GET /v1/ip HTTP/1.1\r\nHost: localhost\r\n\r\n';

describe('listeners', () => {
  test('several listeners serve one API on the ports they report', async () => {
    const opened = await bench.control.listen([
      { host: '127.0.0.1', port: 0 },
      { host: '127.0.0.2', port: 0 },
      { host: '::1', port: 0 },
    ]);
    expect(opened.map(({ host }) => host)).toEqual(['127.0.0.1', '127.0.0.2', '::1']);
    for (const { host, port } of opened) {
      const reply = await fetch(`http://${host.includes(':') ? `[${host}]` : host}:${port}/v1/ip`);
      expect(await reply.json()).toEqual({ address: host === '::1' ? '::1' : '127.0.0.1' });
    }
  });

  test('[::] is IPv6 only, so that 0.0.0.0 may have the same port', async () => {
    const [{ port }] = await bench.control.listen([{ host: '::', port: 0 }]);
    expect((await fetch(`http://[::1]:${port}/v1/ip`)).status).toBe(200);
    await expect(fetch(`http://127.0.0.1:${port}/v1/ip`)).rejects.toThrow('fetch failed');
  });

  test('a listener that fails names the address and the reason, and no other stays open', async () => {
    const [taken] = await bench.control.listen([{ host: '127.0.0.1', port: 0 }]);
    const other = await ControlBench.make();
    const error = await other.control
      .listen([{ host: '127.0.0.2', port: 0 }, taken!])
      .catch((reason) => reason);
    expect(error).toBeInstanceOf(ListenError);
    expect([error.code, error.errno, error.address.port]).toEqual([
      'listen_failed',
      'EADDRINUSE',
      taken!.port,
    ]);
    await other.control.close();
  });
});

describe('malformed HTTP', () => {
  test.each([
    ['rubbish', 'rubbish\r\n\r\n', 400, 'bad_request'],
    ['HTTP/1.1 without Host', 'GET /v1/ip HTTP/1.1\r\nConnection: close\r\n\r\n', 400, null],
    [
      'a huge header',
      `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`,
      431,
      'headers_too_large',
    ],
    [
      'two lengths',
      `${GET_IP.slice(0, -2)}Content-Length: 1\r\nContent-Length: 2\r\n\r\n`,
      400,
      'bad_request',
    ],
  ])('%s is refused', async (_name, text, status, code) => {
    const [{ port }] = (await bench.control.listen([{ host: '127.0.0.1', port: 0 }])) as unknown as [
      { port: number },
    ];
    const reply = await exchange(port, text);
    expect(reply).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    if (code !== null) {
      expect(reply).toContain('content-type: application/problem+json');
      expect(reply).toContain(`"code":"${code}"`);
    }
    expect(bench.lines).toEqual([]);
  });
});

describe('request lines and framing', () => {
  const get = (line: string, headers = '', body = '') =>
    `${line}\r\nHost: localhost\r\nConnection: close\r\n${headers}\r\n${body}`;

  test.each([
    [
      'an absolute target of another host',
      get('GET http://evil.example/v1/ip HTTP/1.1'),
      421,
      'foreign_host',
    ],
    [
      'an absolute target that hides the host',
      get('GET http://localhost@evil.example/v1/ip HTTP/1.1'),
      421,
      'foreign_host',
    ],
    ['an absolute target without a host', get('GET http:///v1/ip HTTP/1.1'), 400, 'bad_request'],
    ['HTTP/2.0', get('GET /v1/ip HTTP/2.0'), 505, 'http_version_not_supported'],
    [
      'gzip, chunked',
      get('POST /v1/session HTTP/1.1', 'Transfer-Encoding: gzip, chunked\r\n', '0\r\n\r\n'),
      501,
      'transfer_coding_not_supported',
    ],
    [
      'chunked twice',
      get('POST /v1/session HTTP/1.1', 'Transfer-Encoding: chunked, chunked\r\n', '0\r\n\r\n'),
      400,
      'bad_request',
    ],
  ])('%s is refused', async (_name, text, status, code) => {
    const [{ port }] = (await bench.control.listen([{ host: '127.0.0.1', port: 0 }])) as unknown as [
      { port: number },
    ];
    const reply = await exchange(port, text);
    expect(reply).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(reply).toContain(`"code":"${code}"`);
  });

  test.each([
    ['an absolute target of our host', get('GET http://dns.example.net/v1/ip HTTP/1.1')],
    ['an absolute target of the same host', get('GET http://localhost:80/v1/ip HTTP/1.1')],
    ['HTTP/1.0', 'GET /v1/ip HTTP/1.0\r\n\r\n'],
  ])('%s is served', async (_name, text) => {
    const [{ port }] = (await bench.control.listen([{ host: '127.0.0.1', port: 0 }])) as unknown as [
      { port: number },
    ];
    expect(await exchange(port, text)).toMatch(/^HTTP\/1\.1 200 OK/);
  });

  test('a chunked body is read', async () => {
    const [{ port }] = (await bench.control.listen([{ host: '127.0.0.1', port: 0 }])) as unknown as [
      { port: number },
    ];
    const headers = 'Content-Type: application/json\r\nTransfer-Encoding: Chunked\r\n';
    const reply = await exchange(port, get('POST /v1/session HTTP/1.1', headers, '2\r\n{}\r\n0\r\n\r\n'));
    expect(reply).toContain('"code":"bad_input"');
  });
});

describe('a client that shuts down its sending side after the request', () => {
  test.each([
    ['GET /v1/ip', ''],
    ['GET /v1/registrations', ''],
    ['POST /v1/registrations', 'Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}'],
    ['GET /nic/update?hostname=home.example', 'User-Agent: ncat\r\n'],
  ])('%s gets its answer', async (line, rest) => {
    const [{ port }] = (await bench.control.listen([{ host: '127.0.0.1', port: 0 }])) as unknown as [
      { port: number },
    ];
    const { secret } = await bench.account();
    const head = `${line} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${secret}\r\n`;
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    socket.end(`${head}${rest}${rest.includes('\r\n\r\n') ? '' : '\r\n'}`);
    const reply = await readAll(socket);
    expect(reply).toMatch(/^HTTP\/1\.1 (200|201|401|422) /);
  });
});

describe('keep-alive', () => {
  test('is 5 s for clients that are not trusted proxies', async () => {
    const [{ port }] = (await bench.control.listen([{ host: '127.0.0.1', port: 0 }])) as unknown as [
      { port: number },
    ];
    const reply = await fetch(`http://127.0.0.1:${port}/v1/ip`);
    expect(reply.headers.get('keep-alive')).toBe('timeout=5');
  });
});

describe('close', () => {
  test('lets a call in flight finish and closes idle connections at once', async () => {
    let release = () => {};
    const started = new Promise<void>((hasStarted) => {
      bench.registry.authenticate = () => {
        hasStarted();
        return new Promise((resolve) => {
          release = () => resolve(null);
        });
      };
    });
    const [{ port }] = (await bench.control.listen([{ host: '127.0.0.1', port: 0 }])) as unknown as [
      { port: number },
    ];
    const silent = connect(port, '127.0.0.1');
    silent.resume();
    await once(silent, 'connect');
    const idle = connect(port, '127.0.0.1');
    idle.write(GET_IP);
    await once(idle, 'data');
    const call = fetch(`http://127.0.0.1:${port}/v1/account`, { headers: { authorization: 'Bearer x' } });
    await started;
    const closing = bench.control.close();
    await once(idle.resume(), 'close');
    await expect(fetch(`http://127.0.0.1:${port}/v1/ip`)).rejects.toThrow();
    release();
    expect((await call).status).toBe(401);
    await closing;
    if (!silent.destroyed) await once(silent, 'close');
  });

  test('waits no longer than the grace period', async () => {
    const started = new Promise<void>((hasStarted) => {
      bench.registry.authenticate = () => {
        hasStarted();
        return new Promise(() => {});
      };
    });
    const [{ port }] = (await bench.control.listen([{ host: '127.0.0.1', port: 0 }])) as unknown as [
      { port: number },
    ];
    const call = fetch(`http://127.0.0.1:${port}/v1/account`, { headers: { authorization: 'Bearer x' } });
    const cut = expect(call).rejects.toThrow();
    await started;
    await bench.control.close(1);
    await cut;
  });
});
