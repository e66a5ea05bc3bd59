import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../../src/cli/run.ts';
import { startServer, type TestServer } from '../load/support.ts';
import { recorder } from './io.ts';

let server: TestServer;
let lossy: TestServer;
let directory: string;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'load-'));
  [server, lossy] = await Promise.all([
    startServer({ transport: 'udp' }),
    startServer({ transport: 'udp', dropEvery: 4 }),
  ]);
});
afterAll(async () => {
  rmSync(directory, { recursive: true });
  await Promise.all([server.stop(), lossy.stop()]);
});

const SHORT = ['--rate', '200', '--seconds', '0.5', '--warm-up', '0'];

async function load(...args: string[]) {
  const { io, out, err } = recorder({}, directory);
  const code = await run(['load', ...args], io);
  return { code, out, err };
}

describe('mediastreamer load', () => {
  it('ends with a summary as one line of JSON, and 0', async () => {
    const { code, out, err } = await load('--target', `127.0.0.1:${server.port}`, ...SHORT);
    expect([code, err]).toEqual([0, []]);
    expect(JSON.parse(out.at(-1)!)).toMatchObject({
      event: 'summary',
      registered: { due: 100, answered: 100, lossPercent: 0 },
      exceeded: [],
    });
  });

  it('exits 0 within the limits, and 3 if one is exceeded, naming it', async () => {
    const limits = ['--max-p99-ms', '60000', '--max-loss-percent', '10', '--timeout-ms', '500'];
    expect((await load('--target', `127.0.0.1:${server.port}`, ...SHORT, ...limits.slice(0, 4))).code).toBe(
      0,
    );
    const { code, err } = await load('--target', `127.0.0.1:${lossy.port}`, ...SHORT, ...limits);
    expect(code).toBe(3);
    expect(err).toContainEqual(expect.stringMatching(/^mediastreamer load: loss is .* %, above 10 %$/));
    const slow = await load('--target', `127.0.0.1:${server.port}`, ...SHORT, '--max-p99-ms', '0.000001');
    expect([slow.code, slow.err[0]]).toEqual([3, expect.stringMatching(/p99 is/)]);
  });

  it('takes mix, names, types and sources, and writes a file for Prometheus', async () => {
    writeFileSync(join(directory, 'names'), 'a.example # one\nb.example\n');
    const { code, out } = await load(
      ...['--target', `127.0.0.1:${server.port}`, ...SHORT, '--prometheus', 'load.prom', '--names', 'names'],
      ...['--mix', 'catalog=70,hit=25,miss=5', '--types', 'A=80,AAAA=20', '--sources', '127.0.1.0/24'],
      ...['--unregistered', '127.0.2.0/24', '--unregistered-share', '10', '--no-edns'],
    );
    expect(code).toBe(0);
    const summary = JSON.parse(out.at(-1)!);
    expect(Object.keys(summary.kinds)).toEqual(['catalog', 'hit', 'miss']);
    expect(summary.registered.due + summary.unregistered.due).toBe(100);
    expect(Math.abs(summary.unregistered.due - 10)).toBeLessThan(3);
    const text = readFileSync(join(directory, 'load.prom'), 'utf8');
    expect(text).toContain('kind="hit",source="unregistered",result="answered"');
  });

  it('refuses a target that is neither loopback nor allowed: one line and 1', async () => {
    const { code, out, err } = await load('--target', '192.0.2.1:53', ...SHORT);
    expect([code, out]).toEqual([1, []]);
    expect(err).toEqual([
      'mediastreamer load: 192.0.2.1 is neither a loopback address nor named in a file that --allow gives',
    ]);
    writeFileSync(join(directory, 'allow'), '192.0.2.2\n');
    expect((await load('--target', '192.0.2.1:53', '--allow', 'allow', ...SHORT)).code).toBe(1);
    expect((await load('--target', '192.0.2.1:53', '--allow', 'none', ...SHORT)).code).toBe(1);
  });

  it.each([
    [[], 'expected --target'],
    [['--target', 'localhost:53'], 'found --target "localhost:53"'],
    [['--target', '127.0.0.1:0', '--rate', '1', '--seconds', '1'], 'found port 0'],
    [['--target', '127.0.0.1:53', '--seconds', '1'], 'expected --rate'],
    [['--target', '127.0.0.1:53', '--rate', '1'], 'expected --seconds'],
    [
      ['--target', '127.0.0.1:53', '--rate', '1', '--seconds', '3601'],
      'found seconds 3601, expected 0.1 to 3600',
    ],
    [['--target', '127.0.0.1:53', '--rate', '0', '--seconds', '1'], 'found rate 0'],
    [['--target', '127.0.0.1:53', '--rate', 'x', '--seconds', '1'], 'found --rate "x", expected a number'],
    [['--target', '127.0.0.1:53', ...SHORT, '--transport', 'quic'], 'found --transport "quic"'],
    [['--target', '127.0.0.1:53', ...SHORT, '--mix', 'all=1'], 'in the mix'],
    [['--target', '127.0.0.1:53', ...SHORT, '--sources', '127.0.0.1/8'], 'found --sources "127.0.0.1/8"'],
    [['--target', '127.0.0.1:53', ...SHORT, '--sources', '127.0.0.0/8'], 'expected 65536 at most'],
    [['--target', '127.0.0.1:53', ...SHORT, '--unregistered-share', '5'], 'expected their sources with it'],
    [['--target', '127.0.0.1:53', ...SHORT, '--dance'], "unknown option '--dance'"],
  ])('answers bad usage with one line and 2: %j', async (args, text) => {
    const { code, out, err } = await load(...args);
    expect([code, out, err.length]).toEqual([2, [], 1]);
    expect(err[0]).toContain(text);
  });
});
