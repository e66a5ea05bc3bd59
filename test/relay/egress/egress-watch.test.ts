import { beforeEach, describe, expect, it } from 'vitest';
import { type Address, parseAddress, parseProxyUrl } from '../../../src/net/index.ts';
import { EgressOutcome } from '../../../src/relay/egress/egress-outcome.ts';
import { EgressWatch } from '../../../src/relay/egress/egress-watch.ts';
import { Timers } from '../../../src/relay/timers.ts';

const NEVER = new Promise<never>(() => {});

let nowMs: number;
let timers: Timers;
let changes: [string, boolean][];
let located: unknown[];
let lookup: (host: string) => Promise<readonly Address[]>;
/** The proxies accept connections. */
let isThere: boolean;
let probes: number;

beforeEach(() => {
  nowMs = 0;
  timers = new Timers(() => nowMs);
  changes = [];
  located = [];
  lookup = () => NEVER;
  isThere = true;
  probes = 0;
});

function watch(...urls: string[]): EgressWatch<string> {
  return new EgressWatch<string>({
    proxies: urls.map((url) => parseProxyUrl(url)!),
    dialer: {
      after: timers.after,
      connect(_, __, done) {
        probes++;
        done(isThere ? 'connection' : null);
        return () => {};
      },
      converse(connection, _, done) {
        done(connection, EgressOutcome.CONNECTED);
        return () => {};
      },
    },
    lookup: (host) => lookup(host),
    discard: () => {},
    now: () => nowMs,
    onLocated: (addresses) => located.push(addresses),
    onChange: (proxy, isUp) => changes.push([proxy, isUp]),
  });
}

/** Advances time second by second. */
async function pass(seconds: number): Promise<void> {
  for (let i = 0; i < seconds; i++) {
    nowMs += 1000;
    timers.run();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('the proxy watch', () => {
  it('finds proxies up that accept a connection, without a report', async () => {
    const watched = watch('socks5://10.0.0.1:1', 'http://10.0.0.2:2');
    await watched.start();
    expect(watched.status().map(({ isUp }) => isUp)).toEqual([true, true]);
    expect(changes).toEqual([]);
  });

  it('reports a proxy that is down at the start and probes it with backoff', async () => {
    isThere = false;
    const watched = watch('http://u:secret@10.0.0.1:1');
    await watched.start();
    expect(changes).toEqual([['http://10.0.0.1:1', false]]);
    await pass(120);
    // At 0, 2, 6, 14, 30, 60, 90 and 120 s.
    expect(probes).toBe(8);
    isThere = true;
    await pass(31);
    expect(changes.at(-1)).toEqual(['http://10.0.0.1:1', true]);
  });

  it('brings a proxy back soon if it worked before, later if it keeps failing', async () => {
    const watched = watch('http://10.0.0.1:1');
    await watched.start();
    const fail = () => watched.health.note(0, EgressOutcome.FAILED);
    watched.health.note(0, EgressOutcome.CONNECTED);
    for (let i = 0; i < 3; i++) fail();
    await pass(3);
    expect(changes.map(([, isUp]) => isUp)).toEqual([false, true]);
    fail();
    await pass(2);
    expect(changes.map(([, isUp]) => isUp)).toEqual([false, true, false]);
    await pass(2);
    expect(changes.map(([, isUp]) => isUp)).toEqual([false, true, false, true]);
  });

  it('starts although a name resolves slowly, and follows its new addresses', async () => {
    const watched = watch('http://proxy.example:1');
    const started = watched.start();
    await pass(2);
    await started;
    expect(watched.status()[0]!.isUp).toBe(false);
    lookup = async () => [parseAddress('10.0.0.1')!];
    await pass(7);
    expect(located).toEqual([[['10.0.0.1']]]);
    expect(watched.status()[0]!.isUp).toBe(true);
    lookup = async () => [parseAddress('10.0.0.2')!];
    await pass(61);
    expect(located.at(-1)).toEqual([['10.0.0.2']]);
    // The old addresses stay in use if the name no longer resolves.
    lookup = () => Promise.reject(new Error('no answer'));
    await pass(61);
    expect(watched.addresses).toEqual([['10.0.0.2']]);
  });

  it('does nothing after it is closed', async () => {
    isThere = false;
    const watched = watch('http://10.0.0.1:1');
    await watched.start();
    watched.close();
    await pass(60);
    expect(probes).toBe(1);
  });
});
