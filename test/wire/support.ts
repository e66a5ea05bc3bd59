import * as dnsPacket from 'dns-packet';
import fc from 'fast-check';

interface NameCodec {
  encode(name: string): Buffer;
  decode(message: Uint8Array, offset?: number): string;
}

/** dns-packet's own writer and reader of names, which its types leave out. */
export const theirName = (dnsPacket as unknown as { name: NameCodec }).name;

/** A header of zeros and then these bytes. */
export function messageOf(...bytes: number[]): Uint8Array {
  return Uint8Array.from([...new Array(12).fill(0), ...bytes]);
}

/**
 * A label that dns-packet can write: bytes of ASCII but the dot, which parts labels there, and the ends of
 * lines, next to which it takes dots away.
 */
const labels = fc
  .array(
    fc.integer({ min: 0, max: 127 }).filter((byte) => ![0x2e, 0x0a, 0x0d].includes(byte)),
    { minLength: 1, maxLength: 63 },
  )
  .map((bytes) => String.fromCharCode(...bytes));

/** A name as dns-packet has it: labels with dots between them, `.` for the root; 255 bytes at most. */
export const dottedNames = fc
  .array(labels, { maxLength: 12 })
  .map((parts) => parts.join('.'))
  .filter((name) => name.length <= 253)
  // dns-packet takes a dot off either end.
  .map((name) => (name === '' ? '.' : name));

export const RECORD_TYPES = ['A', 'AAAA', 'TXT', 'SRV', 'DS', 'MX', 'SOA', 'ANY', 'NS', 'PTR'] as const;

export interface QueryParts {
  id: number;
  flags: number;
  name: string;
  type: (typeof RECORD_TYPES)[number];
  opt: { udpPayloadSize: number; dnssecOk: boolean; version: number; options: [number, Uint8Array][] } | null;
}

export const queries: fc.Arbitrary<QueryParts> = fc.record({
  id: fc.integer({ min: 0, max: 0xffff }),
  flags: fc.integer({ min: 0, max: 0x7ff }),
  name: dottedNames,
  type: fc.constantFrom(...RECORD_TYPES),
  opt: fc.option(
    fc.record({
      // dns-packet writes 4096 for 0.
      udpPayloadSize: fc.integer({ min: 1, max: 0xffff }),
      dnssecOk: fc.boolean(),
      version: fc.integer({ min: 0, max: 2 }),
      options: fc.array(
        // Codes for private use (RFC 6891 9): dns-packet writes these as they are.
        fc.tuple(fc.integer({ min: 65001, max: 65534 }), fc.uint8Array({ maxLength: 40 })),
        { maxLength: 4 },
      ),
    }),
  ),
});

/** A query as dns-packet writes it. */
export function encodeQuery({ id, flags, name, type, opt }: QueryParts): Buffer {
  const additionals =
    opt === null
      ? []
      : [
          {
            type: 'OPT',
            name: '.',
            udpPayloadSize: opt.udpPayloadSize,
            ednsVersion: opt.version,
            flags: opt.dnssecOk ? dnsPacket.DNSSEC_OK : 0,
            options: opt.options.map(([code, data]) => ({ code, data: Buffer.from(data) })),
          },
        ];
  return dnsPacket.encode({
    type: 'query',
    id,
    flags,
    questions: [{ name, type: type as dnsPacket.RecordType }],
    additionals: additionals as unknown as dnsPacket.Answer[],
  });
}
