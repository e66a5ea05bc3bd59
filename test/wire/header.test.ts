import * as dnsPacket from 'dns-packet';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as wire from '../../src/wire/index.ts';
import { encodeQuery, queries } from './support.ts';

describe('the header', () => {
  it('is read as dns-packet reads it, whatever its bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 4, maxLength: 4 }), (bytes) => {
        const message = Buffer.alloc(wire.HEADER_BYTES);
        message.set(bytes);
        const theirs = dnsPacket.decode(message) as dnsPacket.DecodedPacket & Record<string, unknown>;
        expect({
          id: wire.id(message),
          response: wire.isResponse(message),
          opcode: wire.opcode(message),
          aa: wire.isAuthoritative(message),
          tc: wire.isTruncated(message),
          rd: wire.recursionDesired(message),
          ra: wire.recursionAvailable(message),
          ad: wire.authenticData(message),
          cd: wire.checkingDisabled(message),
          rcode: wire.rcode(message),
        }).toEqual({
          id: theirs.id,
          response: theirs.type === 'response',
          opcode: (bytes[2] >> 3) & 15,
          aa: theirs['flag_aa'],
          tc: theirs['flag_tc'],
          rd: theirs['flag_rd'],
          ra: theirs['flag_ra'],
          ad: theirs['flag_ad'],
          cd: theirs['flag_cd'],
          rcode: bytes[3] & 15,
        });
      }),
    );
  });

  it('has counts that are written and read back, each in its place', () => {
    const u16 = fc.integer({ min: 0, max: 0xffff });
    fc.assert(
      fc.property(u16, u16, u16, u16, u16, (id, qd, an, ns, ar) => {
        const message = new Uint8Array(wire.HEADER_BYTES);
        wire.setId(message, id);
        wire.setQuestionCount(message, qd);
        wire.setAnswerCount(message, an);
        wire.setAuthorityCount(message, ns);
        wire.setAdditionalCount(message, ar);
        const view = new DataView(message.buffer);
        expect([0, 4, 6, 8, 10].map((at) => view.getUint16(at))).toEqual([id, qd, an, ns, ar]);
        expect([
          wire.id(message),
          wire.questionCount(message),
          wire.answerCount(message),
          wire.authorityCount(message),
          wire.additionalCount(message),
        ]).toEqual([id, qd, an, ns, ar]);
      }),
    );
  });

  it('has 32-bit numbers without a sign', () => {
    const message = new Uint8Array(4);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffffffff }), (value) => {
        wire.writeU32(message, 0, value);
        expect(new DataView(message.buffer).getUint32(0)).toBe(value);
        expect(wire.readU32(message, 0)).toBe(value);
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
          const message = encodeQuery(parts);
          message[2] = (message[2] & ~wire.OPCODE_MASK) | (op << 3);
          const question = Buffer.from(message.subarray(wire.HEADER_BYTES));
          wire.beginReply(message, rcode, 1);
          expect(wire.id(message)).toBe(parts.id);
          expect(wire.isResponse(message)).toBe(true);
          expect(wire.opcode(message)).toBe(op);
          expect(wire.rcode(message)).toBe(rcode);
          expect(wire.recursionDesired(message)).toBe((parts.flags & dnsPacket.RECURSION_DESIRED) !== 0);
          expect(wire.checkingDisabled(message)).toBe((parts.flags & dnsPacket.CHECKING_DISABLED) !== 0);
          expect(wire.recursionAvailable(message)).toBe(true);
          expect([
            wire.isAuthoritative(message),
            wire.isTruncated(message),
            wire.authenticData(message),
          ]).toEqual([false, false, false]);
          expect(message[3] & 0x40).toBe(0);
          expect([
            wire.questionCount(message),
            wire.answerCount(message),
            wire.authorityCount(message),
            wire.additionalCount(message),
          ]).toEqual([1, 0, 0, 0]);
          expect(message.subarray(wire.HEADER_BYTES)).toEqual(question);
          wire.setTruncated(message);
          wire.setAuthenticData(message);
          expect([wire.isTruncated(message), wire.authenticData(message)]).toEqual([true, true]);
        },
      ),
    );
  });
});
