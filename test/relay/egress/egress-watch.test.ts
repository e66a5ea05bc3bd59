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
/** Whether proxies take connections. */
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

/** Lets time pass, second by second, with what follows from it. */
async function pass(seconds: number): Promise<void> {
  for (let i = 0; i < seconds; i++) {
    nowMs += 1000;
    timers.run();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('the watch over proxies', () => {
  it('finds those up that take a connection, and says nothing of it', async () => {
    const watched = watch('socks5://10.0.0.1:1', 'http://10.0.0.2:2');
    await watched.start();
    expect(watched.status().map(({ isUp }) => isUp)).toEqual([true, true]);
    expect(changes).toEqual([]);
  });

  it('tells of one that is down from the start, and probes it at longer and longer intervals', async () => {
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

  it('brings one back soon that was well before, later one that fails again and again', async () => {
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

  it('starts though a name takes its time, and follows it when it leads elsewhere', async () => {
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
    // Where it does not resolve any more, what was known is used on.
    lookup = () => Promise.reject(new Error('no answer'));
    await pass(61);
    expect(watched.addresses).toEqual([['10.0.0.2']]);
  });

  it('does nothing any more when it is closed', async () => {
    isThere = false;
    const watched = watch('http://10.0.0.1:1');
    await watched.start();
    watched.close();
    await pass(60);
    expect(probes).toBe(1);
  });
});
