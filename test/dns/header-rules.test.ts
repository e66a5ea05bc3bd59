import * as dnsPacket from 'dns-packet';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DEFERRED } from '../../src/dns/index.ts';
import { QueryVerdict } from '../../src/dns/verdict.ts';

import { Rcode } from '../../src/wire/index.ts';
import { query, TestEdge } from './support.ts';

const BASE = query('netflix.com');
const WITH_OPT = query('netflix.com', 'A', { opt: {} });
const QUESTION_END = BASE.length;

/** The message with these bytes at `at`. */
function patched(message: Uint8Array, at: number, ...bytes: number[]): Buffer {
  const copy = Buffer.from(message);
  copy.set(bytes, at);
  return copy;
}

/** These bytes behind the question of BASE, as `count` additional records. */
function withAdditional(count: number, ...bytes: number[]): Buffer {
  return patched(Buffer.concat([BASE, Buffer.from(bytes)]), 10, 0, count);
}

const OPT = [0, 0, 41, 4, 0xd0, 0, 0, 0, 0, 0, 0];

describe('no reply is sent', () => {
  it('to less than a header, however it begins', () => {
    const edge = new TestEdge();
    for (let length = 0; length < 12; length++) {
      const { outcome, bytes } = edge.ask(BASE.subarray(0, length));
      expect([outcome, bytes.length]).toEqual([QueryVerdict.DROPPED, 0]);
    }
  });

  it('to a response', () => {
    const { outcome, bytes } = new TestEdge().ask(patched(BASE, 2, 0x81));
    expect([outcome, bytes.length]).toEqual([QueryVerdict.DROPPED, 0]);
  });
});

describe('FORMERR is the reply', () => {
  it.each<[string, Buffer]>([
    ['to a header alone', patched(BASE.subarray(0, 12), 4, 0, 0)],
    ['to a header that announces a question', BASE.subarray(0, 12)],
    ['to no question', patched(BASE, 4, 0, 0)],
    ['to two questions', patched(BASE, 4, 0, 2)],
    ['to 65535 questions', patched(BASE, 4, 255, 255)],
    ['to a pointer to itself', patched(BASE, 12, 0xc0, 12)],
    ['to a pointer forward', patched(BASE, 12, 0xc0, 20)],
    ['to a label of the type 01', patched(BASE, 12, 0x40)],
    ['to a label of the type 10', patched(BASE, 12, 0x80)],
    [
      'to a name over 255 bytes',
      Buffer.concat([BASE.subarray(0, 12), Buffer.alloc(300, 1), BASE.subarray(-5)]),
    ],
    ['to a question that is cut off', BASE.subarray(0, -1)],
    ['to two OPT', withAdditional(2, ...OPT, ...OPT)],
    ['to OPT with an owner', withAdditional(1, 1, 0x61, ...OPT)],
    ['to OPT with RDATA past the end', withAdditional(1, ...OPT.slice(0, 10), 1)],
    ['to a record that is announced and not there', withAdditional(1)],
    ['to OPT among the answers', patched(Buffer.concat([BASE, Buffer.from(OPT)]), 6, 0, 1)],
  ])('%s, with ID, RD and nothing that was not read', (_, message) => {
    for (const seen of [new TestEdge().ask(message), new TestEdge().askTcp(message)]) {
      expect(seen.outcome).toBe(QueryVerdict.FORMERR);
      expect([...seen.bytes]).toEqual([0x12, 0x34, 0x81, 0x80 | Rcode.FORMERR, 0, 0, 0, 0, 0, 0, 0, 0]);
    }
  });
});

it.each([1, 2, 3, 4, 5, 6, 15])('NOTIMP is the reply to opcode %i, which is kept', (opcode) => {
  const { outcome, bytes, rcode } = new TestEdge().ask(patched(BASE, 2, (opcode << 3) | 1));
  expect([outcome, rcode]).toEqual([QueryVerdict.NOTIMP, Rcode.NOTIMP]);
  expect(bytes[2]).toBe(0x80 | (opcode << 3) | 1);
});

describe('a query is answered', () => {
  it.each<[string, Buffer]>([
    ['with bytes behind it', Buffer.concat([BASE, Buffer.alloc(20, 0xff)])],
    ['with bytes behind its OPT', Buffer.concat([WITH_OPT, Buffer.alloc(20, 0xff)])],
    ['with the payload size 0', patched(WITH_OPT, QUESTION_END + 3, 0, 0)],
    ['with a payload size below 512', patched(WITH_OPT, QUESTION_END + 3, 0, 40)],
    ['with TC, AA, RA, Z and an rcode set', patched(BASE, 2, 0x07, 0xcf)],
    [
      'with an unknown option, which is not echoed',
      withAdditional(1, ...OPT.slice(0, 10), 5, 0xfd, 0xe9, 0, 1, 9),
    ],
    ['with a record besides OPT', withAdditional(2, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, ...OPT)],
  ])('%s', (_, message) => {
    const { outcome, answers, reply, rcode } = new TestEdge().ask(message);
    expect([outcome, rcode, answers.length]).toEqual([QueryVerdict.STEERED, Rcode.NOERROR, 2]);
    expect([reply.flag_aa, reply.flag_tc, reply.flag_ra]).toEqual([false, false, true]);
    expect(message[3] & 0x40 & Number(reply.flag_ra)).toBe(0);
    const opt = reply.additionals?.find((record) => record.type === 'OPT') as
      | { options: { code: number }[] }
      | undefined;
    expect(opt?.options.map(({ code }) => code).filter((code) => code !== 15) ?? []).toEqual([]);
  });

  it('with OPT if it had OPT, and without if it had none', () => {
    const edge = new TestEdge();
    for (const name of ['netflix.com', 'localhost', 'mask.icloud.com']) {
      expect(edge.ask(query(name, 'A', { opt: {} })).hasOpt).toBe(true);
      expect(edge.ask(query(name)).hasOpt).toBe(false);
    }
  });

  it('with DO as it had it', () => {
    const flags = dnsPacket.DNSSEC_OK;
    const dnssecOk = (message: Uint8Array): boolean => {
      const opt = new TestEdge().ask(message).reply.additionals?.[0] as unknown as { flag_do: boolean };
      return opt.flag_do;
    };
    expect(dnssecOk(query('netflix.com', 'A', { opt: { flags } }))).toBe(true);
    expect(dnssecOk(query('netflix.com', 'A', { opt: {} }))).toBe(false);
  });
});

it('BADVERS, with OPT of version 0, is the reply to an EDNS version to come', () => {
  const { outcome, rcode, hasOpt, reply } = new TestEdge().ask(
    query('netflix.com', 'A', { opt: { ednsVersion: 1 } }),
  );
  expect([outcome, rcode, hasOpt]).toEqual([QueryVerdict.BADVERS, Rcode.BADVERS, true]);
  expect(reply.additionals?.[0]).toMatchObject({ ednsVersion: 0, extendedRcode: 1 });
  expect(reply.answers).toEqual([]);
});

it('every reply to any bytes has QR, the ID, RD, CD and opcode of the query, no AA, and keeps the size limit', () => {
  const edge = new TestEdge();
  const bases = [BASE, WITH_OPT, query('localhost', 'AAAA'), query('example.com', 'ANY', { opt: {} })];
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array({ maxLength: 80 }),
        fc
          .tuple(
            fc.constantFrom(...bases),
            fc.array(fc.tuple(fc.nat(60), fc.integer({ min: 0, max: 255 })), { maxLength: 5 }),
          )
          .map(([base, changes]) => {
            const message = Uint8Array.from(base);
            for (const [at, byte] of changes) if (at < message.length) message[at] = byte;
            return message;
          }),
      ),
      (message) => {
        const { outcome, bytes } = edge.ask(message);
        if (outcome === DEFERRED || bytes.length === 0) return;
        expect(bytes.length).toBeGreaterThanOrEqual(12);
        expect(bytes.length).toBeLessThanOrEqual(1232);
        expect([bytes[0], bytes[1]]).toEqual([message[0], message[1]]);
        expect(bytes[2] & 0xfd).toBe(0x80 | (message[2] & 0x79));
        expect(bytes[3] & 0xd0).toBe(0x80 | (message[3] & 0x10));
        expect(() => dnsPacket.decode(bytes)).not.toThrow();
      },
    ),
    { numRuns: 4000 },
  );
});
