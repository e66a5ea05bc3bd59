import * as dnsPacket from 'dns-packet';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  beginReply,
  parseQuestion,
  Question,
  setAnswerCount,
  setAuthorityCount,
  writeAddressRecord,
  writeAnyHinfo,
  writeNegativeSoa,
} from '../../src/wire/index.ts';
import { encodeQuery, queries } from './support.ts';

const ttls = fc.integer({ min: 0, max: 0x7fffffff });

/** A query with room behind it, its question read, its header turned into that of a reply. */
function started(parts: Parameters<typeof encodeQuery>[0]): { message: Uint8Array; question: Question } {
  const query = encodeQuery({ ...parts, opt: null });
  const message = new Uint8Array(query.length + 512).fill(0xee);
  message.set(query);
  const question = new Question();
  if (!parseQuestion(message, query.length, 1, question)) throw new Error('no question');
  beginReply(message, 0, 1);
  return { message, question };
}

const decode = (message: Uint8Array, end: number): dnsPacket.DecodedPacket =>
  dnsPacket.decode(Buffer.from(message.subarray(0, end)));

it('address records are for dns-packet those of the name that was asked, in its case', () => {
  fc.assert(
    fc.property(
      queries,
      ttls,
      fc.uint8Array({ minLength: 64, maxLength: 64 }),
      fc.nat(3),
      (parts, ttl, bytes, from) => {
        const { message, question } = started(parts);
        let end = writeAddressRecord(message, question.end, ttl, bytes, from * 4, 4);
        end = writeAddressRecord(message, end, ttl, bytes, from * 16, 16);
        setAnswerCount(message, 2);
        const { answers } = decode(message, end);
        expect(answers?.[0]).toMatchObject({ name: parts.name, type: 'A', class: 'IN', ttl });
        expect(answers?.[0]).toHaveProperty('data', bytes.slice(from * 4, from * 4 + 4).join('.'));
        expect(answers?.[1]).toMatchObject({ name: parts.name, type: 'AAAA', class: 'IN', ttl });
        expect(Buffer.from(message.subarray(end - 16, end))).toEqual(
          Buffer.from(bytes.slice(from * 16, from * 16 + 16)),
        );
      },
    ),
  );
});

it('the SOA of a negative answer has a suffix of the name for its owner, and MINIMUM and TTL are the same', () => {
  fc.assert(
    fc.property(queries, ttls, fc.nat(12), (parts, ttl, wish) => {
      const { message, question } = started(parts);
      const label = Math.min(wish, question.name.labelCount);
      const end = writeNegativeSoa(message, question.end, question.name.labelOffsets[label], ttl);
      setAuthorityCount(message, 1);
      const { answers, authorities } = decode(message, end);
      const owner = parts.name === '.' ? '.' : parts.name.split('.').slice(label).join('.') || '.';
      expect(answers).toEqual([]);
      expect(authorities?.[0]).toMatchObject({
        name: owner,
        type: 'SOA',
        class: 'IN',
        ttl,
        data: { mname: '.', rname: '.', minimum: ttl },
      });
    }),
  );
});

it('the answer to ANY is one HINFO of RFC 8482', () => {
  fc.assert(
    fc.property(queries, ttls, (parts, ttl) => {
      const { message, question } = started(parts);
      const end = writeAnyHinfo(message, question.end, ttl);
      setAnswerCount(message, 1);
      expect(decode(message, end).answers).toEqual([
        { name: parts.name, type: 'HINFO', class: 'IN', ttl, flush: false, data: { cpu: 'RFC8482', os: '' } },
      ]);
    }),
  );
});
