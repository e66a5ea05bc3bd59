import * as packet from 'dns-packet';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  AnswerCache,
  CacheReader,
  CacheResult,
  CacheSizeError,
  DOES_NOT_FIT,
  EntryReader,
  OVERTAKEN,
  renderEntry,
  STALE_TTL_SECONDS,
} from '../../../src/resolver/cache/index.ts';
import { a, answerWith, build, lines, questionFor, reply, soa } from './messages.ts';

const SMALLEST = 64 * 1024;
/** The last multiples of the smallest arena below 2^32 units; see handle.ts. */
const NEARLY_OVER = 0xfffffffe - 20_000;
const WWW = 'www.example.com';

function entryFor(
  name: string,
  ttl: number,
  address: string,
  nowSeconds: number,
  dnssecOk = false,
): Uint8Array {
  return build(reply({ name, answers: [a(name, ttl, address)] }), { nowSeconds, dnssecOk })!.entry;
}

function textEntry(name: string, ttl: number, bytes: number, nowSeconds: number): Uint8Array {
  const data = Array.from({ length: Math.ceil(bytes / 200) }, () => Buffer.alloc(200, 0x61));
  const answers = [{ type: 'TXT', name, ttl, data } as packet.Answer];
  return build(reply({ name, type: 'TXT', answers }), { nowSeconds })!.entry;
}

/** The reader's answer, or find's result if there is none. */
function ask(reader: CacheReader, name: string, now: number, type = 'A'): string[] | number {
  const found = reader.find(questionFor(name, type), false, false, now);
  if (found === CacheResult.MISS) return found;
  return lines(packet.decode(answerWith(reader, name, type, now)!).answers);
}

describe('the cache', () => {
  it('finds an answer until it expires, then stale for staleSeconds, then not at all', () => {
    const cache = new AnswerCache({ bytes: SMALLEST, staleSeconds: 50 });
    const reader = new CacheReader(cache.handle());
    const question = questionFor(WWW);
    expect(reader.find(question, false, false, 100)).toBe(CacheResult.MISS);
    cache.store(entryFor(WWW, 10, '192.0.2.1', 100));
    expect(ask(reader, 'WWW.example.COM', 103)).toEqual(['WWW.example.COM A 7 192.0.2.1']);
    expect(reader.find(question, false, false, 109)).toBe(CacheResult.FRESH);
    expect([reader.ttlSeconds, reader.originalTtlSeconds]).toEqual([1, 10]);
    expect(reader.find(question, false, false, 110)).toBe(CacheResult.STALE);
    expect(ask(reader, WWW, 159)).toEqual([`${WWW} A ${STALE_TTL_SECONDS} 192.0.2.1`]);
    expect(reader.find(question, false, false, 160)).toBe(CacheResult.MISS);
  });

  describe('wants a refresh', () => {
    /** Finds the answer at each of these times and returns whether it should be refreshed. */
    function told(ttl: number, times: readonly number[]): boolean[] {
      const cache = new AnswerCache({ bytes: SMALLEST });
      const reader = new CacheReader(cache.handle());
      cache.store(entryFor(WWW, ttl, '192.0.2.1', 100));
      return times.map((time) => {
        reader.find(questionFor(WWW), false, false, time);
        return reader.takeRefresh();
      });
    }

    it('of an answer in use in the last tenth of its TTL, once', () => {
      expect(told(100, [150, 189, 190, 191, 199])).toEqual([false, false, true, false, false]);
    });
    it('not of an answer found for the first time', () => {
      expect(told(100, [195, 196, 197])).toEqual([false, true, false]);
    });
    it('not of an expired answer, nor of one with a TTL of seconds', () => {
      expect(told(100, [150, 200, 201])).toEqual([false, false, false]);
      expect(told(9, [101, 108])).toEqual([false, false]);
    });
    it('not of a denial', () => {
      const cache = new AnswerCache({ bytes: SMALLEST });
      const reader = new CacheReader(cache.handle());
      const denied = reply({ name: WWW, rcode: 3, authorities: [soa('example.com', 100, 100)] });
      cache.store(build(denied, { nowSeconds: 100 })!.entry);
      const found = [150, 195].map((time) => reader.find(questionFor(WWW), false, false, time));
      expect([found, reader.takeRefresh()]).toEqual([[CacheResult.FRESH, CacheResult.FRESH], false]);
    });
    it('of the new answer again, in its own time', () => {
      const cache = new AnswerCache({ bytes: SMALLEST });
      const reader = new CacheReader(cache.handle());
      const findAt = (time: number): boolean => {
        reader.find(questionFor(WWW), false, false, time);
        return reader.takeRefresh();
      };
      cache.store(entryFor(WWW, 100, '192.0.2.1', 100));
      expect([150, 195].map(findAt)).toEqual([false, true]);
      cache.store(entryFor(WWW, 100, '192.0.2.1', 195));
      expect([196, 286, 287].map(findAt)).toEqual([false, true, false]);
    });
  });

  it('tells questions apart by name, type, DO and CD', () => {
    const cache = new AnswerCache({ bytes: SMALLEST });
    const reader = new CacheReader(cache.handle());
    cache.store(entryFor(WWW, 10, '192.0.2.1', 100));
    const found = (name: string, type: string, dnssecOk: boolean, cd: boolean): number =>
      reader.find(questionFor(name, type), dnssecOk, cd, 100);
    expect(found(WWW, 'A', false, false)).toBe(CacheResult.FRESH);
    expect(found(WWW, 'AAAA', false, false)).toBe(CacheResult.MISS);
    expect(found(WWW, 'A', true, false)).toBe(CacheResult.MISS);
    expect(found(WWW, 'A', false, true)).toBe(CacheResult.MISS);
    expect(found('example.com', 'A', false, false)).toBe(CacheResult.MISS);
    cache.store(entryFor(WWW, 10, '192.0.2.2', 100, true));
    expect(found(WWW, 'A', true, false)).toBe(CacheResult.FRESH);
  });

  it('compares names and does not trust the hash', () => {
    const cache = new AnswerCache({ bytes: SMALLEST });
    const reader = new CacheReader(cache.handle());
    const one = questionFor('one.example');
    const two = questionFor('two.example');
    one.hashes[0] = two.hashes[0] = 7;
    const message = reply({ name: 'one.example', answers: [a('one.example', 9, '192.0.2.1')] });
    cache.store(build(message, { question: one })!.entry);
    expect(reader.find(two, false, false, 100)).toBe(CacheResult.MISS);
    const other = reply({ name: 'two.example', answers: [a('two.example', 9, '192.0.2.2')] });
    cache.store(build(other, { question: two })!.entry);
    expect(reader.find(one, false, false, 100)).toBe(CacheResult.FRESH);
    expect(reader.find(two, false, false, 100)).toBe(CacheResult.FRESH);
    expect(cache.stats.entries).toBe(2);
  });

  it('finds the newer of two answers to one question', () => {
    const cache = new AnswerCache({ bytes: SMALLEST });
    const reader = new CacheReader(cache.handle());
    cache.store(entryFor(WWW, 10, '192.0.2.1', 100));
    cache.store(entryFor(WWW, 10, '192.0.2.2', 105));
    expect(ask(reader, WWW, 106)).toEqual([`${WWW} A 9 192.0.2.2`]);
    expect(cache.stats).toMatchObject({ entries: 1, stored: 2, replaced: 1 });
  });

  describe('a denial (RFC 8020)', () => {
    const denial = (flags: number) =>
      build(reply({ name: WWW, rcode: 3, flags, authorities: [soa('example.com', 600, 600)] }), {
        nowSeconds: 100,
      })!.entry;
    const found = (flags: number, name: string, nowSeconds: number): CacheResult => {
      const cache = new AnswerCache({ bytes: SMALLEST });
      cache.store(denial(flags));
      return new CacheReader(cache.handle()).find(questionFor(name, 'TXT'), false, false, nowSeconds);
    };
    const AD = 1 << 5;

    it.each([
      ['unsigned', 0, 30],
      ['signed', AD, 600],
    ])('that is %s: covers names below it for a bounded time', (_kind, flags, seconds) => {
      expect(found(flags, `a.b.${WWW}`, 100 + seconds - 1)).toBe(CacheResult.FRESH);
      expect(found(flags, `a.b.${WWW}`, 100 + seconds)).toBe(CacheResult.MISS);
    });

    it('covers its own name, of any type, for its whole TTL', () => {
      expect(found(0, WWW, 699)).toBe(CacheResult.FRESH);
    });

    it('covers no sibling and no name above', () => {
      expect([found(AD, `x${WWW}`, 101), found(AD, 'example.com', 101)]).toEqual([0, 0]);
    });
  });

  it('keeps rcode, AD and counts of negative answers', () => {
    const cache = new AnswerCache({ bytes: SMALLEST });
    const reader = new CacheReader(cache.handle());
    const message = reply({ rcode: 3, flags: 1 << 5, authorities: [soa('example.com', 60, 30)] });
    cache.store(build(message)!.entry);
    expect(reader.find(questionFor(WWW), false, false, 101)).toBe(CacheResult.FRESH);
    expect(reader).toMatchObject({
      rcode: 3,
      authenticData: true,
      answerCount: 0,
      authorityCount: 1,
      ttlSeconds: 29,
    });
  });

  it('renders like an entry in plain memory, and reports too little room', () => {
    const cache = new AnswerCache({ bytes: SMALLEST });
    const reader = new CacheReader(cache.handle());
    const entry = entryFor(WWW, 10, '192.0.2.1', 100);
    cache.store(entry);
    reader.find(questionFor(WWW), false, false, 104);
    const [one, two] = [new Uint8Array(600), new Uint8Array(600)];
    expect(reader.render(one, 33, 48, 104)).toBe(DOES_NOT_FIT);
    expect(reader.render(one, 33, 49, 104)).toBe(49);
    expect(renderEntry(entry, two, 33, 49, 104)).toBe(49);
    expect(one).toEqual(two);
  });

  it('refuses entries above a quarter of its size, and impossible sizes', () => {
    const cache = new AnswerCache({ bytes: SMALLEST });
    cache.store(textEntry(WWW, 10, 30_000, 100));
    expect(cache.stats).toMatchObject({ stored: 0, refused: 1 });
    expect(() => new AnswerCache({ bytes: 1000 })).toThrow(CacheSizeError);
    expect(() => new AnswerCache({ bytes: Number.NaN })).toThrow(CacheSizeError);
  });

  it('stays within `bytes`', () => {
    for (const bytes of [SMALLEST, 100_001, 1_000_000]) {
      const { byteLength } = new AnswerCache({ bytes }).handle().buffer;
      expect(byteLength).toBeLessThanOrEqual(bytes);
      expect(byteLength).toBeGreaterThan(bytes - 1024);
    }
  });
});

describe('a full cache', () => {
  it('tells a reader whose entry was overwritten between find and render', () => {
    const cache = new AnswerCache({ bytes: SMALLEST });
    const reader = new CacheReader(cache.handle());
    cache.store(entryFor(WWW, 1, '192.0.2.1', 100));
    expect(reader.find(questionFor(WWW), false, false, 100)).toBe(CacheResult.FRESH);
    for (let i = 0; i < 2000; i++) cache.store(entryFor(`n${i}.example`, 10, '192.0.2.2', 101));
    expect(reader.render(new Uint8Array(600), 33, 600, 100)).toBe(OVERTAKEN);
  });

  it('keeps used answers and drops others', () => {
    const cache = new AnswerCache({ bytes: SMALLEST });
    const reader = new CacheReader(cache.handle());
    const hot = Array.from({ length: 20 }, (_, i) => `hot${i}.example`);
    for (const name of hot) cache.store(entryFor(name, 10_000, '192.0.2.1', 100));
    let misses = 0;
    for (let i = 0; i < 20_000; i++) {
      cache.store(entryFor(`once${i}.example`, 10_000, '192.0.2.2', 100));
      if (i % 100 === 0) for (const name of hot) if (ask(reader, name, 101) === CacheResult.MISS) misses++;
    }
    expect(misses).toBe(0);
    expect(ask(reader, 'once0.example', 101)).toBe(CacheResult.MISS);
    expect(cache.stats.carried).toBeGreaterThan(20);
  });

  it('does not carry expired answers', () => {
    const cache = new AnswerCache({ bytes: SMALLEST });
    const reader = new CacheReader(cache.handle());
    cache.store(entryFor(WWW, 5, '192.0.2.1', 100));
    expect(ask(reader, WWW, 101)).not.toBe(CacheResult.MISS);
    for (let i = 0; i < 2000; i++) cache.store(entryFor(`n${i}.example`, 10, '192.0.2.2', 105));
    expect(cache.stats.carried).toBe(0);
    expect(reader.find(questionFor(WWW), false, false, 105)).toBe(CacheResult.MISS);
  });

  it('does not restore an old answer over the newer one that pushes it out', () => {
    const others = Array.from({ length: 1000 }, (_, i) => entryFor(`n${i}.example`, 1000, '192.0.2.9', 100));
    const old = entryFor(WWW, 1000, '192.0.2.1', 100);
    const newer = entryFor(WWW, 1000, '192.0.2.2', 100);
    const fill = Math.floor((SMALLEST * 7) / 8 / others[0].length);
    for (let count = fill - 20; count < fill + 20; count++) {
      const cache = new AnswerCache({ bytes: SMALLEST });
      const reader = new CacheReader(cache.handle());
      cache.store(old);
      ask(reader, WWW, 100);
      for (let i = 0; i < count; i++) cache.store(others[i]);
      cache.store(newer);
      expect(ask(reader, WWW, 100)).toEqual([`${WWW} A 1000 192.0.2.2`]);
    }
  });
});

interface Known {
  answer: string;
  expires: number;
}

/**
 * Runs random commands on a small cache and on a Map. The cache may miss, but never returns anything but the
 * last stored.
 */
function compareWithMap(seed: number, firstPosition: number, commands: number): number {
  const cache = new AnswerCache({ bytes: SMALLEST, staleSeconds: 20, firstPosition });
  const reader = new CacheReader(cache.handle());
  const map = new Map<string, Known>();
  let state = seed | 1;
  const random = (below: number): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
  let now = 100;
  let hits = 0;
  for (let i = 0; i < commands; i++) {
    const name = `n${random(3) === 0 ? random(20) : random(1000)}.example`;
    if (random(8) === 0) now += random(3);
    if (random(2) === 0) {
      const ttl = 1 + random(60);
      const address = `192.0.${random(256)}.${random(256)}`;
      if (random(40) === 0) cache.store(textEntry(name, ttl, random(12_000), now));
      cache.store(entryFor(name, ttl, address, now));
      map.set(name, { answer: address, expires: now + ttl });
      continue;
    }
    const found = reader.find(questionFor(name), false, false, now);
    const known = map.get(name);
    if (found === CacheResult.MISS) continue;
    hits++;
    const left = known!.expires - now;
    expect(found).toBe(left > 0 ? CacheResult.FRESH : CacheResult.STALE);
    expect(left).toBeGreaterThan(-20);
    const ttl = left > 0 ? left : STALE_TTL_SECONDS;
    const got = lines(packet.decode(answerWith(reader, name, 'A', now)!).answers);
    expect(got).toEqual([`${name} A ${ttl} ${known!.answer}`]);
  }
  expect(cache.stats.entries).toBeLessThanOrEqual(1020);
  return hits;
}

describe('properties', () => {
  it('any answer found is the last one stored, aged, even when positions wrap around', () => {
    fc.assert(
      fc.property(fc.integer(), fc.constantFrom(0, NEARLY_OVER), (seed, first) => {
        expect(compareWithMap(seed, first, 4000)).toBeGreaterThan(200);
      }),
      { numRuns: 8 },
    );
  });

  it('holds over thousands of rounds of the arena', () => {
    const cache = new AnswerCache({ bytes: SMALLEST, firstPosition: NEARLY_OVER });
    const reader = new CacheReader(cache.handle());
    const big = Array.from({ length: 50 }, (_, i) => textEntry(`b${i}.example`, 1000, 500 + i * 200, 100));
    const views = big.map((entry) => new EntryReader(entry, 100));
    const questions = big.map((_, i) => questionFor(`b${i}.example`, 'TXT'));
    const [got, want] = [new Uint8Array(16_384), new Uint8Array(16_384)];
    let written = 0;
    let hits = 0;
    for (let i = 0; written < 2000 * SMALLEST; i++) {
      const which = (i * 7919) % big.length;
      cache.store(big[which]);
      written += big[which].length;
      const other = (i * 104_729) % big.length;
      if (reader.find(questions[other], false, false, 150) === CacheResult.MISS) continue;
      hits++;
      const end = reader.render(got, 29, 16_384, 150);
      expect(end).toBe(views[other].render(want, 29, 16_384, 150));
      expect(Buffer.compare(got.subarray(29, end), want.subarray(29, end))).toBe(0);
    }
    expect(hits).toBeGreaterThan(1000);
  });
});
