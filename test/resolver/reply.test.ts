import { randomFillSync } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { buildQuery } from '../../src/resolver/query.ts';
import { RandomSource } from '../../src/resolver/random.ts';
import { concernsQuestion, Match, matchReply, ReplySurvey } from '../../src/resolver/reply.ts';
import { request } from './support.ts';

const random = new RandomSource(randomFillSync);
const query = buildQuery(request('www.example'), true, false, true, random);

function reply(change: (message: Uint8Array) => void = () => {}): Uint8Array {
  const message = query.bytes.slice(0, query.questionEnd);
  message[2] |= 0x80;
  message[11] = 0;
  change(message);
  return message;
}

const match = (message: Uint8Array): number => matchReply(message, message.length, query);

describe('matchReply', () => {
  test('matches the question as it was asked', () => {
    expect(match(reply())).toBe(Match.EXACT);
  });
  test('notices another case', () => {
    const changed = reply((message) => {
      message[13] ^= 0x20;
    });
    expect(match(changed)).toBe(Match.CASE_DIFFERS);
  });
  test.each<[string, (message: Uint8Array) => void]>([
    ['a query', (m) => m.fill(0, 2, 3)],
    ['another opcode', (m) => m.fill(0xa0, 2, 3)],
    ['two questions', (m) => m.fill(2, 5, 6)],
    ['another name', (m) => m.fill(0x7a, 13, 14)],
    ['another shape of the name', (m) => m.fill(2, 12, 13)],
    ['another type', (m) => m.fill(99, m.length - 3, m.length - 2)],
    ['another class', (m) => m.fill(3, m.length - 1)],
  ])('does not take %s', (_what, change) => {
    expect(match(reply(change))).toBe(Match.NONE);
  });
  test('tells an answer without a question', () => {
    expect(match(reply((m) => m.fill(0, 5, 6)))).toBe(Match.QUESTIONLESS);
  });
  test('accepts a header alone only for errors', () => {
    const headerOnly = (rcode: number): Uint8Array =>
      reply((message) => {
        message[3] = rcode;
        message[5] = 0;
      }).slice(0, 12);
    const taken = [0, 1, 2, 3, 4, 5].filter((rcode) => match(headerOnly(rcode)) === Match.ERROR_ONLY);
    expect(taken).toEqual([1, 2, 4, 5]);
  });
  test('survives any bytes, and so does the survey', () => {
    const survey = new ReplySurvey();
    const tail = fc.uint8Array({ maxLength: 80 });
    fc.assert(
      fc.property(tail, fc.uint8Array({ minLength: 8, maxLength: 8 }), fc.nat(120), (bytes, header, cut) => {
        const message = new Uint8Array([...reply(), ...bytes]);
        message.set(header, 4);
        const length = Math.min(cut, message.length);
        matchReply(message, length, query);
        concernsQuestion(message, length, query);
        if (length >= query.questionEnd) survey.read(message, length, query.questionEnd);
      }),
    );
  });
});

describe('buildQuery', () => {
  test('mixes the case of letters only', () => {
    const asked = request('ab-01_z.\\193x.example');
    const bytes = buildQuery(asked, false, false, true, random).bytes;
    for (let at = 0; at < asked.nameLength; at++) {
      const isLetter = asked.name[at] >= 0x61 && asked.name[at] <= 0x7a;
      expect(bytes[12 + at] | (isLetter ? 0x20 : 0)).toBe(asked.name[at]);
    }
  });
  test('uses both cases about equally', () => {
    const name = 'abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz.example';
    let upper = 0;
    for (let i = 0; i < 20; i++) {
      const { bytes } = buildQuery(request(name), false, false, true, random);
      upper += bytes.filter((byte) => byte >= 0x41 && byte <= 0x5a).length;
    }
    const handle = upper / (20 * 59);
    expect(handle).toBeGreaterThan(0.4);
    expect(handle).toBeLessThan(0.6);
  });
});
