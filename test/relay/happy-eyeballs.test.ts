import { beforeEach, describe, expect, it } from 'vitest';
import { type Address, formatAddress, parseAddress } from '../../src/net/index.ts';
import { CONNECT_TIMEOUT_MS, happyEyeballs } from '../../src/relay/happy-eyeballs.ts';
import { interleave } from '../../src/relay/origin-addresses.ts';
import { Timers } from '../../src/relay/timers.ts';

const at = (...texts: string[]) => texts.map((text) => parseAddress(text)!);
const THREE = at('2001:db8::1', '192.0.2.1', '192.0.2.2');

let nowMs = 0;
let timers: Timers;
let attempts: Map<string, (connection: string | null) => void>;
let cancelled: string[];
let result: string | null | undefined;

beforeEach(() => {
  nowMs = 0;
  timers = new Timers(() => nowMs);
  attempts = new Map();
  cancelled = [];
  result = undefined;
});

function start(addresses: readonly Address[]): () => void {
  return happyEyeballs<string>(
    addresses,
    (address, done) => {
      const text = formatAddress(address);
      attempts.set(text, done);
      return () => cancelled.push(text);
    },
    timers.after,
    (won) => {
      result = won;
    },
  );
}

function pass(ms: number): void {
  nowMs += ms;
  timers.run();
}

describe('Happy Eyeballs', () => {
  it('tries the next address after 250 ms and cancels the others when one answers', () => {
    start(THREE);
    expect([...attempts.keys()]).toEqual(['2001:db8::1']);
    pass(249);
    expect(attempts.size).toBe(1);
    pass(1);
    expect(attempts.size).toBe(2);
    attempts.get('192.0.2.1')!('connection');
    expect(result).toBe('connection');
    expect(cancelled).toEqual(['2001:db8::1']);
    pass(1000);
    expect(attempts.size).toBe(2);
  });

  it('tries the next address at once when one fails', () => {
    start(THREE);
    attempts.get('2001:db8::1')!(null);
    expect(attempts.size).toBe(2);
    pass(250);
    expect(attempts.size).toBe(3);
    attempts.get('192.0.2.1')!(null);
    expect(result).toBeUndefined();
    attempts.get('192.0.2.2')!(null);
    expect(result).toBeNull();
  });

  it('fails at once without addresses, and after 10 s without an answer', () => {
    start([]);
    expect(result).toBeNull();
    result = undefined;
    start(THREE);
    pass(CONNECT_TIMEOUT_MS - 1);
    expect(result).toBeUndefined();
    pass(1);
    expect(result).toBeNull();
    expect(cancelled.toSorted()).toEqual(['192.0.2.1', '2001:db8::1']);
  });

  it('calls nobody after it is cancelled', () => {
    start(THREE)();
    expect(cancelled).toEqual(['2001:db8::1']);
    pass(CONNECT_TIMEOUT_MS);
    expect(result).toBeUndefined();
  });

  it('interleaves the families, IPv6 first, each address once', () => {
    const ipv6 = [...at('2001:db8::1', '2001:db8::2'), ...at('::ffff:192.0.2.1')];
    const order = interleave(ipv6, at('192.0.2.1'));
    expect(order.map(formatAddress)).toEqual(['2001:db8::1', '192.0.2.1', '2001:db8::2']);
  });
});
