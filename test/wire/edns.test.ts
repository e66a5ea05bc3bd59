import * as dnsPacket from 'dns-packet';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  beginReply,
  Edns,
  ExtendedError,
  optBytes,
  parseQuestion,
  Question,
  Rcode,
  setAdditionalCount,
  setAnswerCount,
  setAuthorityCount,
  writeOpt,
} from '../../src/wire/index.ts';
import { encodeQuery, queries } from './support.ts';

const BASE = {
  id: 1,
  flags: 0x100,
  name: 'example.com',
  type: 'A' as const,
  opt: { udpPayloadSize: 1232, dnssecOk: false, version: 0, options: [] as [number, Uint8Array][] },
};
const QUESTION_END = 12 + 13 + 4;

function parse(message: Uint8Array, length = message.length): { rcode: number; edns: Edns } {
  const question = new Question();
  if (!parseQuestion(message, length, 1, question)) throw new Error('no question');
  const edns = new Edns();
  return { rcode: edns.parse(message, length, question.end), edns };
}

/** The base query without OPT, these records behind it, all counted as additional. */
function withRecords(count: number, ...bytes: number[]): Uint8Array {
  const message = Uint8Array.from([...encodeQuery({ ...BASE, opt: null }), ...bytes]);
  setAdditionalCount(message, count);
  return message;
}

const OPT = [0, 0, 41, 4, 0xd0, 0, 0, 0, 0, 0, 0];
const A_RECORD = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 1, 2, 3, 4];

describe('the OPT record of a query', () => {
  it('is read as dns-packet writes it', () => {
    fc.assert(
      fc.property(queries, (parts) => {
        const message = encodeQuery(parts);
        const { rcode, edns } = parse(message);
        const { opt } = parts;
        expect(edns.present).toBe(opt !== null);
        expect(edns.udpSize).toBe(Math.max(512, opt?.udpPayloadSize ?? 0));
        expect(edns.dnssecOk).toBe(opt?.dnssecOk ?? false);
        expect(rcode).toBe((opt?.version ?? 0) === 0 ? Rcode.NOERROR : Rcode.BADVERS);
        const bytes = (opt?.options ?? []).reduce((sum, [, data]) => sum + 4 + data.length, 0);
        expect(edns.optionsLength).toBe(bytes);
        if (opt !== null) expect(edns.optionsOffset).toBe(message.length - bytes);
      }),
    );
  });

  it('that is cut off anywhere is FORMERR', () => {
    const message = encodeQuery({
      ...BASE,
      opt: { ...BASE.opt, options: [[65001, Uint8Array.of(1, 2, 3)]] },
    });
    for (let length = QUESTION_END; length < message.length; length++)
      expect(parse(message, length).rcode).toBe(Rcode.FORMERR);
  });

  it.each<[string, Uint8Array, number]>([
    ['alone', withRecords(1, ...OPT), Rcode.NOERROR],
    ['twice', withRecords(2, ...OPT, ...OPT), Rcode.FORMERR],
    ['with an owner that is not the root', withRecords(1, 1, 0x61, ...OPT), Rcode.FORMERR],
    ['with a pointer for its owner', withRecords(1, 0xc0, 12, ...OPT.slice(1)), Rcode.FORMERR],
    ['behind another record', withRecords(2, ...A_RECORD, ...OPT), Rcode.NOERROR],
    ['before another record', withRecords(2, ...OPT, ...A_RECORD), Rcode.NOERROR],
    ['with RDATA past the end', withRecords(1, ...OPT.slice(0, 10), 5, 1, 2, 3, 4), Rcode.FORMERR],
    ['with half an option', withRecords(1, ...OPT.slice(0, 10), 3, 0, 10, 0), Rcode.FORMERR],
    ['with an option past its end', withRecords(1, ...OPT.slice(0, 10), 5, 0, 10, 0, 2, 1), Rcode.FORMERR],
    ['with an empty option', withRecords(1, ...OPT.slice(0, 10), 4, 0xfd, 0xe9, 0, 0), Rcode.NOERROR],
    ['with bytes behind it', withRecords(1, ...OPT, 1, 2, 3), Rcode.NOERROR],
    ['announced and not there', withRecords(1), Rcode.FORMERR],
    ['in a version to come', withRecords(1, ...OPT.slice(0, 6), 7, ...OPT.slice(7)), Rcode.BADVERS],
    ['among more records than a query has', withRecords(33, ...OPT), Rcode.FORMERR],
  ])('%s', (_, message, rcode) => {
    expect(parse(message).rcode).toBe(rcode);
  });

  it('has no place in the answer or authority section', () => {
    for (const place of [setAnswerCount, setAuthorityCount]) {
      const message = withRecords(0, ...OPT);
      place(message, 1);
      expect(parse(message).rcode).toBe(Rcode.FORMERR);
    }
  });

  it('is forgotten with the next query', () => {
    const edns = new Edns();
    const first = encodeQuery({ ...BASE, opt: { ...BASE.opt, dnssecOk: true, version: 1 } });
    edns.parse(first, first.length, QUESTION_END);
    const second = encodeQuery({ ...BASE, opt: null });
    expect(edns.parse(second, second.length, QUESTION_END)).toBe(Rcode.NOERROR);
    expect(edns).toMatchObject({
      present: false,
      udpSize: 512,
      dnssecOk: false,
      version: 0,
      optionsLength: 0,
    });
  });

  it('never throws and never takes long, whatever stands behind the question', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(40), (bytes, count) => {
        const { rcode } = parse(withRecords(count, ...bytes));
        expect([Rcode.NOERROR, Rcode.FORMERR, Rcode.BADVERS]).toContain(rcode);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('the OPT record of a reply', () => {
  it('says for dns-packet what it was made to say', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 512, max: 0xffff }),
        fc.integer({ min: 0, max: 0xfff }),
        fc.boolean(),
        fc.option(fc.integer({ min: 0, max: 0xffff }), { nil: ExtendedError.NONE }),
        (udpSize, rcode, dnssecOk, extendedError) => {
          const message = Buffer.alloc(100, 0xee);
          const query = encodeQuery({ ...BASE, opt: null });
          query.copy(message);
          beginReply(message, rcode, 1);
          setAdditionalCount(message, 1);
          const end = writeOpt(message, query.length, udpSize, rcode, dnssecOk, extendedError);
          expect(end - query.length).toBe(optBytes(extendedError));
          const theirs = dnsPacket.decode(Buffer.from(message.subarray(0, end)));
          const code = Buffer.alloc(2);
          code.writeUInt16BE(extendedError & 0xffff);
          expect(theirs.additionals?.[0]).toMatchObject({
            type: 'OPT',
            name: '.',
            udpPayloadSize: udpSize,
            extendedRcode: rcode >>> 4,
            ednsVersion: 0,
            flag_do: dnssecOk,
            options: extendedError === ExtendedError.NONE ? [] : [{ code: 15, data: code }],
          });
          expect(message[3] & 0xf).toBe(rcode & 0xf);
        },
      ),
    );
  });
});
