/**
 * Replies of an upstream that is broken or hostile: cut off, with bits flipped, with pointers that lead in circles, with
 * counts that are not true, with records in sections and of owners where they have no business. Whatever comes, nothing
 * throws, and what becomes of it is about the name that was asked for alone.
 */
import { randomFillSync } from 'node:crypto';
import type * as dnsPacket from 'dns-packet';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EntryReader } from '../../src/resolver/cache/index.ts';
import type { Resolver } from '../../src/resolver/index.ts';
import { NameScratch, RecordCursor, RecordType, readName, textFromName } from '../../src/wire/index.ts';
import { type Behaviour, buildReply, FakeUpstream, soa } from '../support/fake-upstream.ts';
import { build, questionFor } from './cache/messages.ts';
import { RecordingStore, request, resolverFor, shown } from './support.ts';

const NAME = 'www.example';
const OTHER = 'victim.example.net';
const POISON = '203.0.113.66';
const GOOD = '192.0.2.1';

const a = (name: string, data: string): dnsPacket.Answer => ({ type: 'A', name, ttl: 300, data });

/** Damage to a reply. Offsets and numbers are taken modulo what exists. */
type Damage =
  | { kind: 'cut'; at: number }
  | { kind: 'flip'; bits: number[] }
  | { kind: 'pointer'; at: number; to: number }
  | { kind: 'counts'; counts: number[] }
  | { kind: 'fill'; at: number; bytes: number[] }
  | { kind: 'grow'; bytes: number[] };

const nat = fc.nat(0xffff);
const byte = fc.nat(255);
const damage: fc.Arbitrary<Damage> = fc.oneof(
  fc.record({ kind: fc.constant('cut' as const), at: nat }),
  fc.record({ kind: fc.constant('flip' as const), bits: fc.array(nat, { minLength: 1, maxLength: 12 }) }),
  fc.record({ kind: fc.constant('pointer' as const), at: nat, to: nat }),
  fc.record({ kind: fc.constant('counts' as const), counts: fc.array(nat, { minLength: 3, maxLength: 3 }) }),
  fc.record({ kind: fc.constant('fill' as const), at: nat, bytes: fc.array(byte, { maxLength: 40 }) }),
  fc.record({ kind: fc.constant('grow' as const), bytes: fc.array(byte, { maxLength: 600 }) }),
);
const damages = fc.array(damage, { maxLength: 3 });

/** Additions to a reply: sections and owners as a poisoner would choose them. */
const extras = fc.record({
  chain: fc.boolean(),
  strayAnswer: fc.boolean(),
  authority: fc.boolean(),
  additional: fc.boolean(),
  denies: fc.boolean(),
});

interface Extras {
  readonly chain: boolean;
  readonly strayAnswer: boolean;
  readonly authority: boolean;
  readonly additional: boolean;
  readonly denies: boolean;
}

function records({ chain, strayAnswer, authority, additional, denies }: Extras) {
  const real = chain
    ? [{ type: 'CNAME', name: NAME, ttl: 300, data: 'alias.example' } as const, a('alias.example', GOOD)]
    : [a(NAME, GOOD)];
  return {
    rcode: denies ? 3 : 0,
    answers: [...(denies ? [] : real), ...(strayAnswer ? [a(OTHER, POISON)] : [])],
    authorities: [...(denies ? [soa(300)] : []), ...(authority ? [a(OTHER, POISON)] : [])],
    additionals: additional ? [a(OTHER, POISON), a('alias.example', POISON)] : [],
  };
}

/** @param from the first byte that may be changed; IDs and questions are tested elsewhere */
function damaged(message: Uint8Array, all: readonly Damage[], from: number): Buffer {
  let bytes = Buffer.from(message);
  for (const one of all) {
    const room = Math.max(1, bytes.length - from);
    const write = (at: number, value: number): void => {
      if (at < bytes.length) bytes[at] = value;
    };
    switch (one.kind) {
      case 'cut':
        bytes = bytes.subarray(0, from + (one.at % room));
        break;
      case 'flip':
        for (const bit of one.bits)
          write(from + ((bit >> 3) % room), bytes[from + ((bit >> 3) % room)]! ^ (1 << (bit & 7)));
        break;
      case 'pointer':
        write(from + (one.at % room), 0xc0 | (one.to >> 8));
        write(from + (one.at % room) + 1, one.to & 0xff);
        break;
      case 'counts':
        for (const [i, count] of one.counts.entries()) {
          write(6 + 2 * i, count >> 8);
          write(7 + 2 * i, count & 0xff);
        }
        break;
      case 'fill':
        for (const [i, byte] of one.bytes.entries()) write(from + (one.at % room) + i, byte);
        break;
      case 'grow':
        bytes = Buffer.concat([bytes, Buffer.from(one.bytes)]);
    }
  }
  return bytes;
}

const QUESTION_END = 12 + NAME.length + 2 + 4;
const asked = { name: NAME, type: 'A', id: 1, edns: null, recursionDesired: true, checkingDisabled: false };

/** True if `name` is `ancestor` or below it. */
const isWithin = (name: string, ancestor: string): boolean =>
  ancestor === '' || name === ancestor || name.endsWith(`.${ancestor}`);

/** Renders an entry and follows its chain from the question; fails for an owner that is not on it. */
function expectOwnChain(entry: Uint8Array): Buffer {
  const view = new EntryReader(entry, 100);
  const message = Buffer.alloc(0x11000);
  const { name } = questionFor(NAME);
  message.set(name.bytes.subarray(0, name.length), 12);
  const end = view.render(message, QUESTION_END, message.length, 100);
  const cursor = new RecordCursor();
  cursor.begin(message, end, QUESTION_END);
  const onChain = new Set([NAME]);
  for (let i = 0; i < view.answerCount + view.authorityCount; i++) {
    expect(cursor.next()).toBe(true);
    const owner = nameAt(message, end, cursor.ownerOffset);
    const isAbove = [...onChain].some((one) => isWithin(one, owner));
    const mayBeAbove = i >= view.answerCount || cursor.type === RecordType.DNAME;
    expect(onChain.has(owner) || (mayBeAbove && isAbove)).toBe(true);
    if (cursor.type === RecordType.CNAME) onChain.add(nameAt(message, end, cursor.rdataOffset));
  }
  return message.subarray(QUESTION_END, end);
}

function nameAt(message: Uint8Array, length: number, offset: number): string {
  const scratch = new NameScratch();
  expect(readName(message, length, offset, scratch)).toBeGreaterThan(0);
  return textFromName(scratch.bytes.slice(0, scratch.length)).replace(/\.$/, '');
}

const poison = Buffer.from(POISON.split('.').map(Number));

test('the parser keeps only what the chain from the question leads to', () => {
  let entries = 0;
  fc.assert(
    fc.property(extras, damages, (parts, all) => {
      const message = damaged(buildReply(asked as never, records(parts)), all, 6);
      const built = build(message, { question: questionFor(NAME) });
      if (built === null) return;
      entries++;
      const content = expectOwnChain(built.entry);
      if (all.length === 0) expect(content.includes(poison)).toBe(false);
    }),
    { numRuns: 4000 },
  );
  expect(entries).toBeGreaterThan(500);
});

test('the parser turns any bytes into an entry of the question, or null', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), fc.boolean(), (tail, isReply) => {
      const head = buildReply(asked as never, { answers: [] }).subarray(0, QUESTION_END);
      const message = Buffer.concat([isReply ? head : Buffer.alloc(0), tail]);
      const built = build(message, { question: questionFor(NAME) });
      if (built !== null) expectOwnChain(built.entry);
    }),
    { numRuns: 2000 },
  );
});

let upstream: FakeUpstream;
let resolver: Resolver;
const store = new RecordingStore();

beforeAll(async () => {
  upstream = await FakeUpstream.start({ address: '127.0.0.62' });
});
afterAll(async () => {
  await resolver?.close();
  await upstream.stop();
});

test.each(['udp', 'tcp'] as const)(
  'through a resolver over %s: it ends, and the next good reply is taken',
  async (scheme) => {
    resolver = resolverFor([upstream.urlFor(scheme)], { cache: store, fillRandom: randomFillSync });
    let count = 0;
    const hostile: { parts: Extras; all: Damage[] }[] = fc.sample(
      fc.record({ parts: extras, all: damages }),
      {
        numRuns: 250,
        seed: 20_260,
      },
    );
    const behaviour: Behaviour = (query, replier) => {
      const number = Number(/^f(\d+)\./i.exec(query.name)?.[1] ?? -1);
      const good = buildReply(query);
      const one = hostile[number];
      if (one === undefined) return replier.send(good);
      const poisoned = buildReply(query, {
        answers: [a(query.name, GOOD), ...(one.parts.strayAnswer ? [a(OTHER, POISON)] : [])],
        authorities: one.parts.authority ? [a(OTHER, POISON)] : [],
        additionals: one.parts.additional ? [a(OTHER, POISON)] : [],
      });
      count++;
      // Leaves the header and the question alone, which are tested elsewhere; a good reply follows, which
      // must win or be late.
      replier.send(damaged(poisoned, one.all, 12 + query.name.length + 2 + 4));
      if (query.transport === 'udp') replier.send(good);
    };
    upstream.udp = behaviour;
    upstream.tcp = behaviour;
    const asked = hostile.map((_, number) => request(`f${number}.example`));
    const results = await Promise.all(asked.map((one) => resolver.resolve(one)));
    expect(count).toBeGreaterThanOrEqual(hostile.length);
    expect(results).toHaveLength(hostile.length);
    for (const [i, resolved] of results.entries()) {
      // Every answer is about the name that was asked.
      if (resolved.entry !== null) expect(ownName(resolved.entry)).toBe(`f${i}.example`);
    }
    for (const entry of store.entries) expect(ownName(entry)).toMatch(/^f\d+\.example$/);
    const last = request(`good-${scheme}.other`);
    expect(shown(await resolver.resolve(last), last)).toEqual([GOOD]);
    store.entries.length = 0;
    await resolver.close();
  },
);

/** Name of the question that an entry answers. */
function ownName(entry: Uint8Array): string {
  const halves = new Uint16Array(Uint8Array.from(entry).buffer);
  const start = 32 + 2 * (halves[12]! + halves[13]! + halves[14]!);
  const labels: string[] = [];
  for (let at = start; entry[at] !== 0; at += entry[at]! + 1) {
    labels.push(Buffer.from(entry.subarray(at + 1, at + 1 + entry[at]!)).toString('latin1'));
  }
  return labels.join('.');
}
