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
  octets: number[] = new Array(HEADER_BYTES).fill(0);
  name(text: string): this {
    for (const label of text === '.' ? [] : text.split('.'))
      this.octets.push(label.length, ...Buffer.from(label));
    this.octets.push(0);
    return this;
  }
  u16(...values: number[]): this {
    for (const value of values) this.octets.push(value >>> 8, value & 0xff);
    return this;
  }
  /** A record; `rdata` writes what belongs into it. */
  record(owner: () => void, type: number, rdata: () => void, rclass = 1): this {
    owner();
    this.u16(type, rclass, 0, 60, 0);
    const lengthAt = this.octets.length - 2;
    rdata();
    const length = this.octets.length - lengthAt - 2;
    this.octets[lengthAt] = length >>> 8;
    this.octets[lengthAt + 1] = length & 0xff;
    return this;
  }
  pointer(offset: number): void {
    this.u16(0xc000 | offset);
  }
  bytes(): Uint8Array {
    return Uint8Array.from(this.octets);
  }
}

function ask(text: string, type = 1): Message {
  return new Message().name(text).u16(type, 1);
}

/** Copies all records of m behind the question of `asked`, which has the same length. Null where one fails. */
function rewrite(m: Uint8Array, ttlSeconds = 7): Uint8Array | null {
  const question = new Question();
  if (!parseQuestion(m, m.length, 1, question)) throw new Error('no question');
  const writer = new RecordWriter();
  writer.begin(question, m, m.length, question.end);
  const cursor = new RecordCursor();
  cursor.begin(m, m.length, question.end);
  while (cursor.end < m.length) {
    if (!cursor.next() || !writer.copy(cursor, ttlSeconds)) return null;
  }
  return writer.bytes.slice(0, writer.offset);
}

/** Names of all records, read back: owner and, of the types here, the names in RDATA. */
function owners(m: Uint8Array): string[] {
  const question = new Question();
  parseQuestion(m, m.length, 1, question);
  const cursor = new RecordCursor();
  cursor.begin(m, m.length, question.end);
  const found: string[] = [];
  while (cursor.end < m.length && cursor.next()) found.push(nameAt(m, cursor.ownerOffset));
  return found;
}

function nameAt(m: Uint8Array, offset: number): string {
  const name = new NameScratch();
  if (readName(m, m.length, offset, name) < 0) return 'malformed';
  return textFromName(name.bytes.slice(0, name.length));
}

describe('RecordWriter', () => {
  it('makes an owner that is the question into a pointer to it, so that it takes the client’s case', () => {
    const m = ask('www.example.com');
    m.record(
      () => m.name('WWW.eXample.com'),
      RecordType.A,
      () => m.octets.push(192, 0, 2, 1),
    );
    const out = rewrite(m.bytes())!;
    const record = out.subarray(ask('www.example.com').octets.length);
    expect([...record]).toEqual([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 7, 0, 4, 192, 0, 2, 1]);
  });

  it('expands names in RDATA and compresses them against the question and earlier names', () => {
    const m = ask('www.example.com', RecordType.CNAME);
    m.record(
      () => m.pointer(12),
      RecordType.CNAME,
      () => m.name('web.cdn.example.com'),
    );
    m.record(
      () => m.name('web.cdn.example.com'),
      RecordType.MX,
      () => m.u16(10).name('mail.example.com'),
    );
    const out = rewrite(m.bytes())!;
    const start = ask('www.example.com').octets.length;
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
    const m = ask('a.example', type);
    m.record(
      () => m.pointer(12),
      type,
      () => {
        m.octets.push(...before);
        m.pointer(12);
        if (type === RecordType.RP) m.pointer(12);
      },
    );
    const out = rewrite(m.bytes())!;
    const name = [1, 0x61, 7, ...Buffer.from('example'), 0];
    const rdata = [...before, ...name, ...(type === RecordType.RP ? name : [])];
    expect([...out.subarray(out.length - rdata.length)]).toEqual(rdata);
    expect(out[out.length - rdata.length - 1]).toBe(rdata.length);
  });

  it('keeps the case of names in RDATA, but takes none from the other question (0x20)', () => {
    const m = ask('a.eXaMpLe', RecordType.SRV);
    m.record(
      () => m.pointer(12),
      RecordType.SRV,
      () => {
        m.u16(0, 0, 0);
        m.octets.push(2, 0x48, 0x69);
        m.pointer(14);
      },
    );
    const out = rewrite(m.bytes())!;
    expect(Buffer.from(out.subarray(out.length - 12)).toString('latin1')).toBe('\x02Hi\x07example\0');
  });

  it.each<[string, (m: Message) => void]>([
    [
      'an A record of 5 octets',
      (m) =>
        m.record(
          () => m.pointer(12),
          1,
          () => m.octets.push(1, 2, 3, 4, 5),
        ),
    ],
    [
      'an A record of 3 octets',
      (m) =>
        m.record(
          () => m.pointer(12),
          1,
          () => m.octets.push(1, 2, 3),
        ),
    ],
    [
      'octets behind a CNAME',
      (m) =>
        m.record(
          () => m.pointer(12),
          5,
          () => m.name('b.example').u16(0),
        ),
    ],
    [
      'a name past RDATA',
      (m) =>
        m
          .record(
            () => m.pointer(12),
            5,
            () => m.octets.push(3, 0x61),
          )
          .u16(0, 0),
    ],
    [
      'a forward pointer',
      (m) =>
        m.record(
          () => m.pointer(500),
          1,
          () => m.octets.push(1, 2, 3, 4),
        ),
    ],
    [
      'a pointer to itself in RDATA',
      (m) =>
        m.record(
          () => m.pointer(12),
          5,
          () => m.pointer(m.octets.length),
        ),
    ],
    [
      'an SOA cut short',
      (m) =>
        m.record(
          () => m.pointer(12),
          6,
          () => m.name('.').name('.').u16(0, 1),
        ),
    ],
    [
      'a NAPTR with a string past its end',
      (m) =>
        m.record(
          () => m.pointer(12),
          35,
          () => m.u16(0, 0, 0xff00),
        ),
    ],
  ])('refuses %s', (_, add) => {
    const m = ask('a.example');
    add(m);
    expect(rewrite(m.bytes())).toBeNull();
  });

  it('refuses a message that would be over 65535 bytes', () => {
    const m = ask('a.example', RecordType.DNAME);
    const long = `${'x'.repeat(60)}.${'y'.repeat(60)}.${'z'.repeat(60)}.${'w'.repeat(60)}`;
    m.record(
      () => m.pointer(12),
      RecordType.DNAME,
      () => m.name(long),
    );
    const target = m.octets.length - 4 * 61 - 1;
    for (let i = 0; i < 300; i++)
      m.record(
        () => m.pointer(12),
        RecordType.DNAME,
        () => m.pointer(target),
      );
    expect(m.octets.length).toBeLessThan(6000);
    expect(rewrite(m.bytes())).toBeNull();
  });

  const label = fc.string({ unit: fc.constantFrom(...'abcXYZ09-_'), minLength: 1, maxLength: 6 });
  const name = fc.array(label, { minLength: 1, maxLength: 6 }).map((labels) => labels.join('.'));

  it('keeps every name and is done when done: rewriting its own output changes nothing', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(name, name), { minLength: 1, maxLength: 20 }), name, (pairs, asked) => {
        const m = ask(asked, RecordType.NS);
        const suffix = asked.slice(asked.indexOf('.') + 1);
        for (const [owner, target] of pairs) {
          m.record(
            () => m.name(`${owner}.${suffix}`),
            RecordType.NS,
            () => m.name(target),
          );
        }
        const once = rewrite(m.bytes())!;
        expect(once.length).toBeLessThanOrEqual(m.octets.length);
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
    const from = ask('www.example.com').octets.length;
    const change = fc.tuple(fc.nat(good.octets.length - from - 1), fc.nat(255));
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 6 }), (changes) => {
        const m = good.bytes();
        for (const [at, octet] of changes) m[from + at] = octet;
        const out = rewrite(m);
        if (out !== null) expect(owners(out)).not.toContain('malformed');
      }),
      { numRuns: 3000 },
    );
  });

  it('bounds the work for 5,000 records with names of 127 labels', () => {
    const long = new Array(126).fill('a').join('.');
    const m = ask(long, RecordType.NS);
    m.record(
      () => m.name(new Array(127).fill('b').join('.')),
      16,
      () => m.u16(0),
    );
    const start = m.octets.length - 12 - 255;
    for (let i = 0; i < 4000; i++)
      m.record(
        () => m.pointer(start),
        16,
        () => m.u16(0),
      );
    expect(rewrite(m.bytes())).not.toBeNull();
  });
});

describe('names written before', () => {
  it('are not pointed at past the 14 bits of a pointer', () => {
    const m = ask('a.example', 16);
    m.record(
      () => m.pointer(12),
      16,
      () => m.octets.push(...new Array(16_384).fill(65)),
    );
    m.record(
      () => m.name('late.test'),
      2,
      () => m.name('later.test'),
    );
    m.record(
      () => m.name('late.test'),
      2,
      () => m.name('later.test'),
    );
    const out = rewrite(m.bytes())!;
    expect(owners(out)).toEqual(['a.example', 'late.test', 'late.test']);
    expect(out.length).toBe(m.octets.length);
  });

  it('count as found when they differ in case', () => {
    const m = ask('a.example', 2);
    m.record(
      () => m.name('B.Test'),
      2,
      () => m.name('b.tEST'),
    );
    const out = rewrite(m.bytes())!;
    expect([...out.subarray(out.length - 2)]).toEqual([0xc0, ask('a.example').octets.length]);
  });
});
