/**
 * Traces that must not be left anywhere: random tokens and addresses that a test sends about, and a search for them in
 * whatever form they may have been written.
 */
import { randomInt } from 'node:crypto';
import { type Dirent, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Bytes to search, and where they were found. */
export interface Haystack {
  readonly place: string;
  readonly bytes: Buffer;
}

/** One form of a trace: its bytes as written, or as written in either case. */
interface Form {
  readonly encoding: string;
  readonly bytes: Buffer;
  readonly anyCase: boolean;
}

export interface Trace {
  readonly kind: string;
  readonly text: string;
  readonly forms: readonly Form[];
}

const LETTERS = 'abcdefghijklmnopqrstuvwxyz';
const TOKEN_LETTERS = 18;

export class Traces {
  readonly all: Trace[] = [];

  /** A random word: fit for a label of a name, a key, a header field. */
  token(kind: string): string {
    const text = Array.from({ length: TOKEN_LETTERS }, () => LETTERS[randomInt(26)]).join('');
    return this.secret(kind, text);
  }

  /** Adds a text made elsewhere. */
  secret(kind: string, text: string): string {
    this.all.push({ kind, text, forms: formsOfText(text) });
    return text;
  }

  /** A random loopback address, none of whose bytes is a common one. */
  loopback(kind: string): string {
    const byte = () => randomInt(130, 250);
    return this.address(kind, `127.${byte()}.${byte()}.${byte()}`);
  }

  /** Adds an IPv4 address. */
  address(kind: string, text: string): string {
    this.all.push({ kind, text, forms: formsOfIPv4(text.split('.').map(Number)) });
    return text;
  }

  /** A random global IPv6 address, sought by its /64. */
  ipv6(kind: string): string {
    const groups = ['2a0c', ...Array.from({ length: 3 }, () => randomInt(0x1000, 0x10000).toString(16))];
    const text = groups.join(':');
    this.all.push({ kind, text, forms: formsOfIPv6(text, groups.join('')) });
    return `${text}::1`;
  }

  of(...kinds: readonly string[]): Trace[] {
    return this.all.filter(({ kind }) => kinds.includes(kind));
  }
}

function text(encoding: string, value: string): Form {
  return { encoding, bytes: Buffer.from(value.toLowerCase()), anyCase: true };
}

function bytes(encoding: string, bytes: Uint8Array): Form {
  return { encoding, bytes: Buffer.from(bytes), anyCase: false };
}

function formsOfText(value: string): Form[] {
  const bytes = [...Buffer.from(value)];
  const each = (form: (byte: number) => string, between = '') => bytes.map(form).join(between);
  const hex = (byte: number) => byte.toString(16).padStart(2, '0');
  const utf16 = Buffer.from(value.toLowerCase(), 'utf16le');
  return [
    text('utf8', value),
    { encoding: 'utf16', bytes: utf16.subarray(0, -1), anyCase: true },
    text('hex', each(hex)),
    text('hex of bytes', each(hex, ' ')),
    text(
      'percent',
      each((byte) => `%${hex(byte)}`),
    ),
    text(
      'JSON escapes',
      each((byte) => `\\u00${hex(byte)}`),
    ),
    text(
      'DNS escapes',
      each((byte) => `\\${String(byte).padStart(3, '0')}`),
    ),
    text('list of bytes', each(String, ',')),
    text('list of bytes', each(String, ', ')),
    ...formsOfBase64(Buffer.from(value)),
    ...formsOfBase64(Buffer.from(value.toUpperCase())),
  ];
}

/** Base64 of text that contains `value`: its bytes may begin at any of three places of a group. */
function formsOfBase64(value: Buffer): Form[] {
  return [0, 1, 2].flatMap((shift) => {
    const encoded = Buffer.concat([Buffer.alloc(shift), value])
      .toString('base64')
      .replace(/=+$/, '');
    const first = Math.ceil((shift * 8) / 6);
    const whole = Math.floor(((shift + value.length) * 8) / 6);
    const sure = encoded.slice(first, whole);
    const url = sure.replaceAll('+', '-').replaceAll('/', '_');
    return [bytes('base64', Buffer.from(sure)), bytes('base64url', Buffer.from(url))];
  });
}

function formsOfIPv4(parts: readonly number[]): Form[] {
  const buffer = Buffer.from(parts);
  const hex = buffer.toString('hex');
  const reversed = parts.toReversed();
  return [
    text('text', parts.join('.')),
    text('text', parts.join('-')),
    text('list of bytes', parts.join(',')),
    text('in-addr', reversed.join('.')),
    { encoding: 'utf16', bytes: Buffer.from(parts.join('.'), 'utf16le').subarray(0, -1), anyCase: true },
    bytes('four bytes', buffer),
    bytes('four bytes, reversed', Buffer.from(reversed)),
    bytes('labels of in-addr', Buffer.from(reversed.map((byte) => `\x03${byte}`).join(''), 'latin1')),
    text('hex', hex),
    text('hex, reversed', Buffer.from(reversed).toString('hex')),
    text('IPv4-mapped', `${hex.slice(0, 4)}:${hex.slice(4)}`),
    text('number', String(buffer.readUInt32BE())),
    text('number', String(buffer.readInt32LE())),
    ...formsOfBase64(Buffer.from(parts.join('.'))),
  ];
}

function formsOfIPv6(written: string, hex: string): Form[] {
  const buffer = Buffer.from(hex, 'hex');
  return [
    text('text', written),
    bytes('eight bytes', buffer),
    bytes('eight bytes, reversed', Buffer.from(buffer).reverse()),
    bytes('words, reversed', Buffer.from(buffer).swap32()),
    text('hex', hex),
    text('ip6.arpa', [...hex].toReversed().join('.')),
    ...formsOfBase64(buffer),
    ...formsOfBase64(Buffer.from(written)),
  ];
}

/** Lists the traces found, as `kind as encoding in place`, each once. */
export function found(traces: readonly Trace[], haystacks: readonly Haystack[]): string[] {
  const places = new Set<string>();
  for (const { place, bytes } of haystacks) {
    const lower = lowerCase(bytes);
    for (const { kind, forms } of traces) {
      for (const form of forms) {
        if ((form.anyCase ? lower : bytes).includes(form.bytes))
          places.add(`${kind} as ${form.encoding} in ${place}`);
      }
    }
  }
  return [...places].toSorted();
}

/** ASCII letters in lower case, all other bytes as they are. */
function lowerCase(bytes: Buffer): Buffer {
  const lower = Buffer.from(bytes);
  for (let at = 0; at < lower.length; at++) if (lower[at] >= 0x41 && lower[at] <= 0x5a) lower[at] |= 0x20;
  return lower;
}

/** All files below a folder, but for those that `leavesOut` names. */
export function filesOf(folder: string, leavesOut: readonly string[] = []): Haystack[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry: Dirent) => entry.isFile() && !leavesOut.includes(entry.name))
    .map((entry) => ({ place: entry.name, bytes: contentOf(join(entry.parentPath, entry.name)) }));
}

/** A file that went since it was listed (SQLite's own come and go) holds nothing. */
function contentOf(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return Buffer.alloc(0);
    throw error;
  }
}

export function haystack(place: string, content: string): Haystack {
  return { place, bytes: Buffer.from(content) };
}
