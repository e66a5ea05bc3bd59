import * as dnsPacket from 'dns-packet';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseQuestion, Question, RecordType, writeQuery } from '../../src/wire/index.ts';
import { dottedNames, encodeQuery, messageOf, queries, RECORD_TYPES, theirName } from './support.ts';

const parse = (message: Uint8Array, length = message.length): Question | null => {
  const question = new Question();
  return parseQuestion(message, length, 5, question) ? question : null;
};

describe('the question', () => {
  it('is read as dns-packet writes it', () => {
    fc.assert(
      fc.property(queries, (parts) => {
        const message = encodeQuery({ ...parts, opt: null });
        const question = parse(message);
        expect(question?.type).toBe(RecordType[parts.type]);
        expect(question?.qclass).toBe(1);
        expect(question?.end).toBe(message.length);
        const name = Buffer.from(question!.name.bytes.slice(0, question!.name.length));
        expect(theirName.decode(name)).toBe(parts.name.replace(/[A-Z]/g, (c) => c.toLowerCase()));
      }),
    );
  });

  it('that is cut off anywhere is malformed', () => {
    fc.assert(
      fc.property(queries, (parts) => {
        const message = encodeQuery({ ...parts, opt: null });
        for (let length = 12; length < message.length; length++) expect(parse(message, length)).toBeNull();
      }),
      { numRuns: 20 },
    );
  });

  it('may hold no pointer: neither into the header, nor to itself', () => {
    expect(parse(messageOf(0xc0, 0, 0, 1, 0, 1))).toBeNull();
    expect(parse(messageOf(0xc0, 12, 0, 1, 0, 1))).toBeNull();
    expect(parse(messageOf(1, 0x61, 0xc0, 4, 0, 1, 0, 1))).toBeNull();
    expect(parse(messageOf(1, 0x61, 0xc0, 12, 0, 1, 0, 1))).toBeNull();
  });
});

describe('a query for an upstream', () => {
  it('says for dns-packet what it was made to say', () => {
    fc.assert(
      fc.property(
        dottedNames,
        fc.constantFrom(...RECORD_TYPES),
        fc.integer({ min: 0, max: 0xffff }),
        fc.boolean(),
        fc.option(fc.integer({ min: 512, max: 0xffff })),
        fc.boolean(),
        (dotted, type, id, checkingDisabled, udpSize, dnssecOk) => {
          const name = Uint8Array.from(theirName.encode(dotted));
          const out = new Uint8Array(600).fill(0xee);
          const length = writeQuery(out, {
            id,
            name,
            nameLength: name.length,
            type: RecordType[type],
            qclass: 1,
            checkingDisabled,
            udpSize,
            dnssecOk,
          });
          const theirs = dnsPacket.decode(Buffer.from(out.subarray(0, length)));
          expect(theirs).toMatchObject({
            id,
            type: 'query',
            opcode: 'QUERY',
            flag_rd: true,
            flag_cd: checkingDisabled,
            flag_ad: false,
            flag_z: false,
            questions: [{ name: dotted, type, class: 'IN' }],
          });
          expect(theirs.additionals).toHaveLength(udpSize === null ? 0 : 1);
          if (udpSize === null) return;
          expect(theirs.additionals?.[0]).toMatchObject({
            type: 'OPT',
            name: '.',
            udpPayloadSize: udpSize,
            ednsVersion: 0,
            flag_do: dnssecOk,
            options: [],
          });
        },
      ),
    );
  });
});
