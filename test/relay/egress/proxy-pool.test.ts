import { beforeEach, describe, expect, it } from 'vitest';
import { formatAddress, parseProxyUrl, parseSocketAddress } from '../../../src/net/index.ts';
import { EgressOutcome } from '../../../src/relay/egress/egress-outcome.ts';
import type { ProxyHandshake } from '../../../src/relay/egress/proxy-handshake.ts';
import { ProxyHealth } from '../../../src/relay/egress/proxy-health.ts';
import {
  type Dialer,
  PROXY_ANSWER_MS,
  PROXY_CONNECT_MS,
  ProxyPool,
} from '../../../src/relay/egress/proxy-pool.ts';
import { Timers } from '../../../src/relay/timers.ts';

const DESTINATION = parseSocketAddress('192.0.2.7:443')!;

let nowMs: number;
let timers: Timers;
/** Connections and conversations begun, by the proxy's `address:port`. */
let connects: Map<string, (connection: string | null) => void>;
let talks: Map<string, { handshake: ProxyHandshake; done(outcome: EgressOutcome): void }>;
let cancelled: string[];
let result: string | null | undefined;
let health: ProxyHealth;
let pool: ProxyPool;
let dialer: Dialer<string>;

beforeEach(() => {
  nowMs = 0;
  timers = new Timers(() => nowMs);
  connects = new Map();
  talks = new Map();
  cancelled = [];
  result = undefined;
  health = new ProxyHealth(2);
  health.probed(0, true);
  health.probed(1, true);
  for (const proxy of [0, 1]) health.note(proxy, EgressOutcome.CONNECTED);
  const proxies = ['socks5://10.0.0.1:1', 'http://10.0.0.2:2'].map((url) => parseProxyUrl(url)!);
  pool = new ProxyPool(proxies, health);
  pool.locate([['10.0.0.1'], ['10.0.0.2']]);
  dialer = {
    after: timers.after,
    connect(address, port, done) {
      const name = `${formatAddress(address)}:${port}`;
      connects.set(name, done);
      return () => cancelled.push(`connect ${name}`);
    },
    converse(connection, handshake, done) {
      const end = (outcome: EgressOutcome): void =>
        done(outcome === EgressOutcome.CONNECTED ? connection : null, outcome);
      talks.set(connection, { handshake, done: end });
      return () => cancelled.push(`talk ${connection}`);
    },
  };
});

function start(): () => void {
  return pool.connect(dialer, DESTINATION, (connection) => {
    result = connection;
  });
}

/** Lets the proxy accept its connection. */
function take(name: string): void {
  connects.get(name)!(name);
}

function pass(ms: number): void {
  nowMs += ms;
  timers.run();
}

const counted = (proxy: number, outcome: keyof typeof EgressOutcome) =>
  health.outcome(proxy, EgressOutcome[outcome]);

describe('a connection through a pool', () => {
  it('uses one proxy and leaves the others alone', () => {
    start();
    take('10.0.0.1:1');
    talks.get('10.0.0.1:1')!.done(EgressOutcome.CONNECTED);
    expect(result).toBe('10.0.0.1:1');
    expect([...connects.keys()]).toEqual(['10.0.0.1:1']);
    pass(60_000);
    expect(cancelled).toEqual([]);
  });

  it('tries another proxy if one accepts no connection in time', () => {
    start();
    pass(PROXY_CONNECT_MS);
    expect(cancelled).toEqual(['connect 10.0.0.1:1']);
    expect(counted(0, 'UNREACHABLE')).toBe(1);
    take('10.0.0.2:2');
    talks.get('10.0.0.2:2')!.done(EgressOutcome.CONNECTED);
    expect(result).toBe('10.0.0.2:2');
  });

  it('tries another proxy if one does not answer in time', () => {
    start();
    take('10.0.0.1:1');
    pass(PROXY_ANSWER_MS);
    expect(cancelled).toEqual(['talk 10.0.0.1:1']);
    expect(counted(0, 'TIMEOUT')).toBe(1);
    expect([...connects.keys()]).toEqual(['10.0.0.1:1', '10.0.0.2:2']);
  });

  it('takes out a proxy that is silent from the start, not one waiting for a dead origin', () => {
    for (const isGreeted of [true, false]) {
      for (let i = 0; i < 3; i++) {
        connects.clear();
        start();
        // Each proxy comes first once, and the other one reports the origin unreachable.
        for (let tries = 0; tries < 2; tries++) {
          const [name] = [...connects.keys()].slice(-1);
          take(name!);
          const talk = talks.get(name!)!;
          if (name === '10.0.0.2:2') talk.done(EgressOutcome.ORIGIN);
          else {
            if (isGreeted) talk.handshake.handle(Uint8Array.of(5, 0));
            pass(PROXY_ANSWER_MS);
          }
        }
        expect(result).toBe(null);
      }
      expect(health.isUp(0)).toBe(isGreeted);
    }
    expect(health.isUp(1)).toBe(true);
  });

  it('takes out a proxy that cannot reach an origin which another reaches', () => {
    for (let i = 0; i < 6 && health.isUp(1); i++) {
      connects.clear();
      start();
      for (let tries = 0; tries < connects.size; tries++) {
        const name = [...connects.keys()][tries]!;
        take(name);
        talks.get(name)!.done(name === '10.0.0.2:2' ? EgressOutcome.ORIGIN : EgressOutcome.CONNECTED);
      }
      expect(result).toBe('10.0.0.1:1');
    }
    expect(health.isUp(1)).toBe(false);
  });

  it('fails if no proxy has an address', () => {
    pool.locate([[], []]);
    start();
    expect(result).toBe(null);
    expect([counted(0, 'UNREACHABLE'), counted(1, 'UNREACHABLE')]).toEqual([1, 1]);
  });

  it('can be cancelled at any step, also at the second proxy', () => {
    const cancelConnect = start();
    cancelConnect();
    expect(cancelled).toEqual(['connect 10.0.0.1:1']);
    const cancelTalk = start();
    connects.get('10.0.0.2:2')!(null);
    take('10.0.0.1:1');
    cancelTalk();
    expect(cancelled).toEqual(['connect 10.0.0.1:1', 'talk 10.0.0.1:1']);
    pass(60_000);
    expect(result).toBe(undefined);
    expect(counted(0, 'TIMEOUT')).toBe(0);
  });
});
