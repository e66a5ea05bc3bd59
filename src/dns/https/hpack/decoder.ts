import { FieldName, fieldName, isFieldValue } from '../field.ts';
import { DynamicTable, ENTRY_OVERHEAD, MAX_TABLE_BYTES } from './dynamic-table.ts';
import { decodeHuffman } from './huffman.ts';
import { STATIC_FIELDS } from './static-table.ts';

interface FieldSink {
  /**
   * Receives the fields of a block, in order.
   * @param name INVALID if the name or the value breaks a rule of HTTP
   * @param values the value is `values[start, end)`, valid during the call
   */
  field(name: FieldName, values: Uint8Array, start: number, end: number): void;
}

/** Outcome of decoding a header block. */
export const Decoded = {
  WHOLE: 0,
  /** Read to the end, so that both sides' tables agree, but the sink did not get all fields. */
  TOO_LARGE: 1,
  /** Invalid HPACK: the tables differ from now on, so the connection ends (RFC 7541 2.3.3, RFC 9113 4.3). */
  MALFORMED: 2,
} as const;
export type Decoded = (typeof Decoded)[keyof typeof Decoded];

const INDEXED = 0x80;
const INDEXED_BITS = 7;
const INCREMENTAL = 0x40;
const INCREMENTAL_BITS = 6;
const SIZE_UPDATE = 0x20;
const SIZE_UPDATE_BITS = 5;
const LITERAL_BITS = 4;
const HUFFMAN = 0x80;
const STRING_BITS = 7;
/** Larger integers are rejected (RFC 7541 7.4). */
const MAX_INTEGER = 1 << 20;

interface StaticField {
  readonly name: FieldName;
  readonly nameLength: number;
  readonly start: number;
  readonly end: number;
}
const STATIC_VALUES = Buffer.from(STATIC_FIELDS.map(([, value]) => value).join(''));
const STATIC_TABLE: readonly StaticField[] = buildStaticTable();

function buildStaticTable(): StaticField[] {
  let at = 0;
  return STATIC_FIELDS.map(([text, value]) => {
    const bytes = Buffer.from(text);
    const start = at;
    at += value.length;
    return { name: fieldName(bytes, 0, bytes.length), nameLength: text.length, start, end: at };
  });
}

/** Decodes the header blocks of one connection (RFC 7541). */
export class HpackDecoder {
  readonly table = new DynamicTable();
  private readonly maxListBytes: number;
  private readonly scratch: Uint8Array;
  private block!: Uint8Array;
  private at = 0;
  private end = 0;
  private used = 0;
  private listBytes = 0;
  private sink!: FieldSink;
  /** The string that was read last: `string[stringStart, stringEnd)`. */
  private string!: Uint8Array;
  private stringStart = 0;
  private stringEnd = 0;

  /**
   * @param maxListBytes limit for the size of a block's fields (RFC 9113 6.5.2)
   * @param scratch memory for decoded strings, shared by the thread: at least 2 * 8/5 of the longest block
   */
  constructor(maxListBytes: number, scratch: Uint8Array) {
    this.maxListBytes = maxListBytes;
    this.scratch = scratch;
  }

  /** Decodes the block at `start` to `end`. */
  decode(block: Uint8Array, start: number, end: number, sink: FieldSink): Decoded {
    this.block = block;
    this.at = start;
    this.end = end;
    this.sink = sink;
    this.listBytes = 0;
    let mayResize = true;
    while (this.at < end) {
      const first = block[this.at]!;
      this.used = 0;
      const isResize = (first & (INDEXED | INCREMENTAL | SIZE_UPDATE)) === SIZE_UPDATE;
      // Allowed only at the start of a block (4.2).
      if (isResize && !mayResize) return Decoded.MALFORMED;
      if (!isResize) mayResize = false;
      const isSound = isResize ? this.resize() : first >= INDEXED ? this.indexed() : this.literal(first);
      if (!isSound) return Decoded.MALFORMED;
    }
    return this.listBytes > this.maxListBytes ? Decoded.TOO_LARGE : Decoded.WHOLE;
  }

  private resize(): boolean {
    const size = this.integer(SIZE_UPDATE_BITS);
    if (size < 0 || size > MAX_TABLE_BYTES) return false;
    this.table.resize(size);
    return true;
  }

  private indexed(): boolean {
    const index = this.integer(INDEXED_BITS);
    if (index <= 0) return false;
    if (index <= STATIC_TABLE.length) {
      const { name, nameLength, start, end } = STATIC_TABLE[index - 1]!;
      this.emit(name, nameLength, STATIC_VALUES, start, end);
      return true;
    }
    const { table } = this;
    const entry = index - STATIC_TABLE.length - 1;
    if (entry >= table.count) return false;
    const start = table.valueStart(entry);
    const name = table.isValueSound(entry) ? table.name(entry) : FieldName.INVALID;
    this.emit(name, table.nameLength(entry), table.values, start, start + table.valueLength(entry));
    return true;
  }

  private literal(first: number): boolean {
    const isKept = (first & INCREMENTAL) !== 0;
    const index = this.integer(isKept ? INCREMENTAL_BITS : LITERAL_BITS);
    if (index < 0) return false;
    let name: FieldName;
    let nameLength: number;
    if (index === 0) {
      if (!this.readString()) return false;
      name = fieldName(this.string, this.stringStart, this.stringEnd);
      nameLength = this.stringEnd - this.stringStart;
    } else if (index <= STATIC_TABLE.length) {
      name = STATIC_TABLE[index - 1]!.name;
      nameLength = STATIC_TABLE[index - 1]!.nameLength;
    } else {
      const entry = index - STATIC_TABLE.length - 1;
      if (entry >= this.table.count) return false;
      name = this.table.name(entry);
      nameLength = this.table.nameLength(entry);
    }
    if (!this.readString()) return false;
    const { string, stringStart: start, stringEnd: end } = this;
    const isSound = isFieldValue(string, start, end);
    if (isKept) this.table.add(name, nameLength, string, start, end, isSound);
    this.emit(isSound ? name : FieldName.INVALID, nameLength, string, start, end);
    return true;
  }

  private emit(name: FieldName, nameLength: number, values: Uint8Array, start: number, end: number): void {
    this.listBytes += nameLength + (end - start) + ENTRY_OVERHEAD;
    if (this.listBytes <= this.maxListBytes) this.sink.field(name, values, start, end);
  }

  /** Reads a string literal (5.2). */
  private readString(): boolean {
    if (this.at >= this.end) return false;
    const isHuffman = (this.block[this.at]! & HUFFMAN) !== 0;
    const length = this.integer(STRING_BITS);
    if (length < 0 || length > this.end - this.at) return false;
    const start = this.at;
    this.at += length;
    if (!isHuffman) {
      this.string = this.block;
      this.stringStart = start;
      this.stringEnd = this.at;
      return true;
    }
    const end = decodeHuffman(this.block, start, this.at, this.scratch, this.used);
    if (end < 0) return false;
    this.string = this.scratch;
    this.stringStart = this.used;
    this.stringEnd = end;
    this.used = end;
    return true;
  }

  /** Reads an integer that begins in the low `bits` of the next byte (5.1). @returns -1 if truncated or too large */
  private integer(bits: number): number {
    const mask = (1 << bits) - 1;
    let value = this.block[this.at++]! & mask;
    if (value < mask) return value;
    for (let shift = 0; shift <= 21; shift += 7) {
      if (this.at >= this.end) return -1;
      const byte = this.block[this.at++]!;
      value += (byte & 0x7f) << shift;
      if (byte < 0x80) return value > MAX_INTEGER ? -1 : value;
    }
    return -1;
  }
}
