import * as dnsPacket from 'dns-packet';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as wire from '../../src/wire/index.ts';
import { encodeQuery, queries } from './support.ts';

describe('the header', () => {
  it('is read as dns-packet reads it, whatever its bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 4, maxLength: 4 }), (octets) => {
        const m = Buffer.alloc(wire.HEADER_BYTES);
        m.set(octets);
        const theirs = dnsPacket.decode(m) as dnsPacket.DecodedPacket & Record<string, unknown>;
        expect({
          id: wire.id(m),
          response: wire.isResponse(m),
          opcode: wire.opcode(m),
          aa: wire.isAuthoritative(m),
          tc: wire.isTruncated(m),
          rd: wire.recursionDesired(m),
          ra: wire.recursionAvailable(m),
          ad: wire.authenticData(m),
          cd: wire.checkingDisabled(m),
          rcode: wire.rcode(m),
        }).toEqual({
          id: theirs.id,
          response: theirs.type === 'response',
          opcode: (octets[2] >> 3) & 15,
          aa: theirs['flag_aa'],
          tc: theirs['flag_tc'],
          rd: theirs['flag_rd'],
          ra: theirs['flag_ra'],
          ad: theirs['flag_ad'],
          cd: theirs['flag_cd'],
          rcode: octets[3] & 15,
        });
      }),
    );
  });

  it('has counts that are written and read back, each in its place', () => {
    const u16 = fc.integer({ min: 0, max: 0xffff });
    fc.assert(
      fc.property(u16, u16, u16, u16, u16, (id, qd, an, ns, ar) => {
        const m = new Uint8Array(wire.HEADER_BYTES);
        wire.setId(m, id);
        wire.setQuestionCount(m, qd);
        wire.setAnswerCount(m, an);
        wire.setAuthorityCount(m, ns);
        wire.setAdditionalCount(m, ar);
        const view = new DataView(m.buffer);
        expect([0, 4, 6, 8, 10].map((at) => view.getUint16(at))).toEqual([id, qd, an, ns, ar]);
        expect([
          wire.id(m),
          wire.questionCount(m),
          wire.answerCount(m),
          wire.authorityCount(m),
          wire.additionalCount(m),
        ]).toEqual([id, qd, an, ns, ar]);
      }),
    );
  });

  it('has 32-bit numbers without a sign', () => {
    const m = new Uint8Array(4);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffffffff }), (value) => {
        wire.writeU32(m, 0, value);
        expect(new DataView(m.buffer).getUint32(0)).toBe(value);
        expect(wire.readU32(m, 0)).toBe(value);
      }),
    );
  });

  it('of a query turns into that of its reply: ID, opcode, RD and CD kept, everything else ours', () => {
    fc.assert(
      fc.property(
        queries,
        fc.integer({ min: 0, max: 15 }),
        fc.integer({ min: 0, max: 15 }),
        (parts, op, rcode) => {
          const m = encodeQuery(parts);
          m[2] = (m[2] & ~wire.OPCODE_MASK) | (op << 3);
          const question = Buffer.from(m.subarray(wire.HEADER_BYTES));
          wire.beginReply(m, rcode, 1);
          expect(wire.id(m)).toBe(parts.id);
          expect(wire.isResponse(m)).toBe(true);
          expect(wire.opcode(m)).toBe(op);
          expect(wire.rcode(m)).toBe(rcode);
          expect(wire.recursionDesired(m)).toBe((parts.flags & dnsPacket.RECURSION_DESIRED) !== 0);
          expect(wire.checkingDisabled(m)).toBe((parts.flags & dnsPacket.CHECKING_DISABLED) !== 0);
          expect(wire.recursionAvailable(m)).toBe(true);
          expect([wire.isAuthoritative(m), wire.isTruncated(m), wire.authenticData(m)]).toEqual([
            false,
            false,
            false,
          ]);
          expect(m[3] & 0x40).toBe(0);
          expect([
            wire.questionCount(m),
            wire.answerCount(m),
            wire.authorityCount(m),
            wire.additionalCount(m),
          ]).toEqual([1, 0, 0, 0]);
          expect(m.subarray(wire.HEADER_BYTES)).toEqual(question);
          wire.setTruncated(m);
          wire.setAuthenticData(m);
          expect([wire.isTruncated(m), wire.authenticData(m)]).toEqual([true, true]);
        },
      ),
    );
  });
});
