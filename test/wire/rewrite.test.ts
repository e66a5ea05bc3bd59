import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  HEADER_BYTES,
  NameScratch,
  parseQuestion,
  Question,
  RecordCursor,
  RecordType,
  readName,
  textFromName,
} from '../../src/wire/index.ts';
import { RecordWriter } from '../../src/wire/rewrite.ts';

/** Builds a message by hand: a header of zeros, a question, records. */
class Message {
  bytes: number[] = new Array(HEADER_BYTES).fill(0);
  name(text: string): this {
    for (const label of text === '.' ? [] : text.split('.'))
      this.bytes.push(label.length, ...Buffer.from(label));
    this.bytes.push(0);
    return this;
  }
  u16(...values: number[]): this {
    for (const value of values) this.bytes.push(value >>> 8, value & 0xff);
    return this;
  }
  /** A record; `rdata` writes what belongs into it. */
  record(owner: () => void, type: number, rdata: () => void, rclass = 1): this {
    owner();
    this.u16(type, rclass, 0, 60, 0);
    const lengthAt = this.bytes.length - 2;
    rdata();
    const length = this.bytes.length - lengthAt - 2;
    this.bytes[lengthAt] = length >>> 8;
    this.bytes[lengthAt + 1] = length & 0xff;
    return this;
  }
  pointer(offset: number): void {
    this.u16(0xc000 | offset);
  }
  toBytes(): Uint8Array {
    return Uint8Array.from(this.bytes);
  }
}

function ask(text: string, type = 1): Message {
  return new Message().name(text).u16(type, 1);
}

/** Copies all records of m behind the question of `asked`, which has the same length. Null where one fails. */
function rewrite(message: Uint8Array, ttlSeconds = 7): Uint8Array | null {
  const question = new Question();
  if (!parseQuestion(message, message.length, 1, question)) throw new Error('no question');
  const writer = new RecordWriter();
  writer.begin(question, message, message.length, question.end);
  const cursor = new RecordCursor();
  cursor.begin(message, message.length, question.end);
  while (cursor.end < message.length) {
    if (!cursor.next() || !writer.copy(cursor, ttlSeconds)) return null;
  }
  return writer.bytes.slice(0, writer.offset);
}

/** Names of all records, read back: owner and, of the types here, the names in RDATA. */
function owners(message: Uint8Array): string[] {
  const question = new Question();
  parseQuestion(message, message.length, 1, question);
  const cursor = new RecordCursor();
  cursor.begin(message, message.length, question.end);
  const found: string[] = [];
  while (cursor.end < message.length && cursor.next()) found.push(nameAt(message, cursor.ownerOffset));
  return found;
}

function nameAt(message: Uint8Array, offset: number): string {
  const name = new NameScratch();
  if (readName(message, message.length, offset, name) < 0) return 'malformed';
  return textFromName(name.bytes.slice(0, name.length));
}

describe('RecordWriter', () => {
  it('makes an owner that is the question into a pointer to it, so that it takes the client’s case', () => {
    const message = ask('www.example.com');
    message.record(
      () => message.name('WWW.eXample.com'),
      RecordType.A,
      () => message.bytes.push(192, 0, 2, 1),
    );
    const out = rewrite(message.toBytes())!;
    const record = out.subarray(ask('www.example.com').bytes.length);
    expect([...record]).toEqual([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 7, 0, 4, 192, 0, 2, 1]);
  });

  it('expands names in RDATA and compresses them against the question and earlier names', () => {
    const message = ask('www.example.com', RecordType.CNAME);
    message.record(
      () => message.pointer(12),
      RecordType.CNAME,
      () => message.name('web.cdn.example.com'),
    );
    message.record(
      () => message.name('web.cdn.example.com'),
      RecordType.MX,
      () => message.u16(10).name('mail.example.com'),
    );
    const out = rewrite(message.toBytes())!;
    const start = ask('www.example.com').bytes.length;
    const first = start + 12 + 8 + 2; // "3web3cdn" and a pointer to example.com
    expect([...out.subarray(start + 12, first)]).toEqual([
      3, 0x77, 0x65, 0x62, 3, 0x63, 0x64, 0x6e, 0xc0, 16,
    ]);
    expect([...out.subarray(first, first + 2)]).toEqual([0xc0, start + 12]);
    expect([...out.subarray(first + 14)]).toEqual([4, 0x6d, 0x61, 0x69, 0x6c, 0xc0, 16]);
  });

  it.each([
    ['SRV', RecordType.SRV, [0, 1, 0, 2, 0, 3]],
    ['DNAME', RecordType.DNAME, []],
    ['SVCB', RecordType.SVCB, [0, 1]],
    ['RP', RecordType.RP, []],
  ])('never compresses names in %s (RFC 3597 4), and expands what came compressed', (_, type, before) => {
    const message = ask('a.example', type);
    message.record(
      () => message.pointer(12),
      type,
      () => {
        message.bytes.push(...before);
        message.pointer(12);
        if (type === RecordType.RP) message.pointer(12);
      },
    );
    const out = rewrite(message.toBytes())!;
    const name = [1, 0x61, 7, ...Buffer.from('example'), 0];
    const rdata = [...before, ...name, ...(type === RecordType.RP ? name : [])];
    expect([...out.subarray(out.length - rdata.length)]).toEqual(rdata);
    expect(out[out.length - rdata.length - 1]).toBe(rdata.length);
  });

  it('keeps the case of names in RDATA, but takes none from the other question (0x20)', () => {
    const message = ask('a.eXaMpLe', RecordType.SRV);
    message.record(
      () => message.pointer(12),
      RecordType.SRV,
      () => {
        message.u16(0, 0, 0);
        message.bytes.push(2, 0x48, 0x69);
        message.pointer(14);
      },
    );
    const out = rewrite(message.toBytes())!;
    expect(Buffer.from(out.subarray(out.length - 12)).toString('latin1')).toBe('\x02Hi\x07example\0');
  });

  it.each<[string, (message: Message) => void]>([
    [
      'an A record of 5 bytes',
      (message) =>
        message.record(
          () => message.pointer(12),
          1,
          () => message.bytes.push(1, 2, 3, 4, 5),
        ),
    ],
    [
      'an A record of 3 bytes',
      (message) =>
        message.record(
          () => message.pointer(12),
          1,
          () => message.bytes.push(1, 2, 3),
        ),
    ],
    [
      'bytes behind a CNAME',
      (message) =>
        message.record(
          () => message.pointer(12),
          5,
          () => message.name('b.example').u16(0),
        ),
    ],
    [
      'a name past RDATA',
      (message) =>
        message
          .record(
            () => message.pointer(12),
            5,
            () => message.bytes.push(3, 0x61),
          )
          .u16(0, 0),
    ],
    [
      'a forward pointer',
      (message) =>
        message.record(
          () => message.pointer(500),
          1,
          () => message.bytes.push(1, 2, 3, 4),
        ),
    ],
    [
      'a pointer to itself in RDATA',
      (message) =>
        message.record(
          () => message.pointer(12),
          5,
          () => message.pointer(message.bytes.length),
        ),
    ],
    [
      'an SOA cut short',
      (message) =>
        message.record(
          () => message.pointer(12),
          6,
          () => message.name('.').name('.').u16(0, 1),
        ),
    ],
    [
      'a NAPTR with a string past its end',
      (message) =>
        message.record(
          () => message.pointer(12),
          35,
          () => message.u16(0, 0, 0xff00),
        ),
    ],
  ])('refuses %s', (_, add) => {
    const message = ask('a.example');
    add(message);
    expect(rewrite(message.toBytes())).toBeNull();
  });

  it('refuses a message that would be over 65535 bytes', () => {
    const message = ask('a.example', RecordType.DNAME);
    const long = `${'x'.repeat(60)}.${'y'.repeat(60)}.${'z'.repeat(60)}.${'w'.repeat(60)}`;
    message.record(
      () => message.pointer(12),
      RecordType.DNAME,
      () => message.name(long),
    );
    const target = message.bytes.length - 4 * 61 - 1;
    for (let i = 0; i < 300; i++)
      message.record(
        () => message.pointer(12),
        RecordType.DNAME,
        () => message.pointer(target),
      );
    expect(message.bytes.length).toBeLessThan(6000);
    expect(rewrite(message.toBytes())).toBeNull();
  });

  const label = fc.string({ unit: fc.constantFrom(...'abcXYZ09-_'), minLength: 1, maxLength: 6 });
  const name = fc.array(label, { minLength: 1, maxLength: 6 }).map((labels) => labels.join('.'));

  it('keeps every name and is done when done: rewriting its own output changes nothing', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(name, name), { minLength: 1, maxLength: 20 }), name, (pairs, asked) => {
        const message = ask(asked, RecordType.NS);
        const suffix = asked.slice(asked.indexOf('.') + 1);
        for (const [owner, target] of pairs) {
          message.record(
            () => message.name(`${owner}.${suffix}`),
            RecordType.NS,
            () => message.name(target),
          );
        }
        const once = rewrite(message.toBytes())!;
        expect(once.length).toBeLessThanOrEqual(message.bytes.length);
        expect(owners(once)).toEqual(pairs.map(([owner]) => `${owner}.${suffix}`.toLowerCase()));
        expect(rewrite(once)).toEqual(once);
      }),
      { numRuns: 200 },
    );
  });

  it('reads random and mutated records without an exception, and what it writes can be read', () => {
    const good = ask('www.example.com');
    good.record(
      () => good.pointer(12),
      RecordType.CNAME,
      () => good.name('web.example.net'),
    );
    good.record(
      () => good.name('web.example.net'),
      RecordType.SOA,
      () => {
        good.name('ns.example.net').name('root.example.net').u16(0, 1, 0, 2, 0, 3, 0, 4, 0, 5);
      },
    );
    good.record(
      () => good.pointer(16),
      RecordType.RRSIG,
      () => {
        good.u16(1, 1, 1, 1, 1, 1, 1, 1, 1).name('example.com').u16(1, 2, 3);
      },
    );
    const from = ask('www.example.com').bytes.length;
    const change = fc.tuple(fc.nat(good.bytes.length - from - 1), fc.nat(255));
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 6 }), (changes) => {
        const message = good.toBytes();
        for (const [at, byte] of changes) message[from + at] = byte;
        const out = rewrite(message);
        if (out !== null) expect(owners(out)).not.toContain('malformed');
      }),
      { numRuns: 3000 },
    );
  });

  it('bounds the work for 5,000 records with names of 127 labels', () => {
    const long = new Array(126).fill('a').join('.');
    const message = ask(long, RecordType.NS);
    message.record(
      () => message.name(new Array(127).fill('b').join('.')),
      16,
      () => message.u16(0),
    );
    const start = message.bytes.length - 12 - 255;
    for (let i = 0; i < 4000; i++)
      message.record(
        () => message.pointer(start),
        16,
        () => message.u16(0),
      );
    expect(rewrite(message.toBytes())).not.toBeNull();
  });
});

describe('names written before', () => {
  it('are not pointed at past the 14 bits of a pointer', () => {
    const message = ask('a.example', 16);
    message.record(
      () => message.pointer(12),
      16,
      () => message.bytes.push(...new Array(16_384).fill(65)),
    );
    message.record(
      () => message.name('late.test'),
      2,
      () => message.name('later.test'),
    );
    message.record(
      () => message.name('late.test'),
      2,
      () => message.name('later.test'),
    );
    const out = rewrite(message.toBytes())!;
    expect(owners(out)).toEqual(['a.example', 'late.test', 'late.test']);
    expect(out.length).toBe(message.bytes.length);
  });

  it('count as found when they differ in case', () => {
    const message = ask('a.example', 2);
    message.record(
      () => message.name('B.Test'),
      2,
      () => message.name('b.tEST'),
    );
    const out = rewrite(message.toBytes())!;
    expect([...out.subarray(out.length - 2)]).toEqual([0xc0, ask('a.example').bytes.length]);
  });
});
