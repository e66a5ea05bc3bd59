import { createCipheriv, createDecipheriv, createHmac } from 'node:crypto';

/** An Initial packet of a client, opened: its version, connection ids and frames. */
export interface Initial {
  readonly version: number;
  readonly destinationId: Buffer;
  readonly sourceId: Buffer;
  readonly frames: Buffer;
  /** Where the packet ends in the datagram; others may follow it. */
  readonly end: number;
}

/** What the versions differ in (RFC 9001, 5.2 and 5.4; RFC 9369, 3.3). */
interface VersionKeys {
  readonly salt: Buffer;
  readonly labels: string;
  /** The two bits of a long header that say Initial. */
  readonly type: number;
}

const VERSIONS: ReadonlyMap<number, VersionKeys> = new Map([
  [
    0x00000001,
    { salt: Buffer.from('38762cf7f55934b34d179ae6a4c80cadccbb7f0a', 'hex'), labels: 'quic ', type: 0 },
  ],
  [
    0x6b3343cf,
    { salt: Buffer.from('0dede3def700a6db819381be6e269dcbf9bd2ed9', 'hex'), labels: 'quicv2 ', type: 1 },
  ],
]);

/** RFC 9000, 14.1: datagrams with Initials are at least this long; what is shorter is not answered. */
export const MIN_INITIAL_DATAGRAM_BYTES = 1200;
const MAX_ID_BYTES = 20;
const SAMPLE_BYTES = 16;
const TAG_BYTES = 16;
const LONG_HEADER_AND_FIXED_BIT = 0xc0;

/**
 * Opens the Initial packet at datagram[start]: the keys follow from the connection id that the client chose for its
 * first one (RFC 9001, 5.2), so anyone on the path can.
 *
 * @param firstId that id, where this is not the first packet of the connection; null: the packet's own
 * @returns null for anything that is no Initial of version 1 or 2 with those keys
 */
export function openInitial(datagram: Buffer, start: number, firstId: Buffer | null): Initial | null {
  const header = readHeader(datagram, start);
  if (header === null) return null;
  const { version, keys, destinationId, sourceId, numberAt, end } = header;
  if (numberAt + 4 + SAMPLE_BYTES > end) return null;
  const { key, iv, hp } = clientKeys(keys, firstId ?? destinationId);
  const mask = createCipheriv('aes-128-ecb', hp, null).update(
    datagram.subarray(numberAt + 4, numberAt + 4 + SAMPLE_BYTES),
  );
  const first = datagram[start] ^ (mask[0] & 0x0f);
  const numberBytes = (first & 0x03) + 1;
  const aad = Buffer.from(datagram.subarray(start, numberAt + numberBytes));
  aad[0] = first;
  const nonce = Buffer.from(iv);
  for (let i = 0; i < numberBytes; i++) {
    const octet = datagram[numberAt + i] ^ mask[1 + i];
    aad[numberAt - start + i] = octet;
    nonce[nonce.length - numberBytes + i] ^= octet;
  }
  const frames = open(key, nonce, aad, datagram.subarray(numberAt + numberBytes, end));
  return frames && { version, destinationId, sourceId, frames, end };
}

interface Header {
  readonly version: number;
  readonly keys: VersionKeys;
  readonly destinationId: Buffer;
  readonly sourceId: Buffer;
  readonly numberAt: number;
  readonly end: number;
}

/** The parts of an Initial's header that are not protected (RFC 9000, 17.2.2). */
function readHeader(datagram: Buffer, start: number): Header | null {
  if (start + 7 > datagram.length || (datagram[start] & LONG_HEADER_AND_FIXED_BIT) !== 0xc0) return null;
  const version = datagram.readUInt32BE(start + 1);
  const keys = VERSIONS.get(version);
  if (keys === undefined || ((datagram[start] >> 4) & 3) !== keys.type) return null;
  const destination = readId(datagram, start + 5);
  const source = destination && readId(datagram, destination.end);
  const token = source && readVarint(datagram, source.end);
  if (token === null) return null;
  const length = readVarint(datagram, token.end + token.value);
  if (length === null) return null;
  const numberAt = length.end;
  const end = numberAt + length.value;
  if (end > datagram.length) return null;
  return { version, keys, destinationId: destination!.id, sourceId: source!.id, numberAt, end };
}

function readId(datagram: Buffer, at: number): { id: Buffer; end: number } | null {
  const length = datagram[at];
  const end = at + 1 + length;
  if (length === undefined || length > MAX_ID_BYTES || end > datagram.length) return null;
  return { id: datagram.subarray(at + 1, end), end };
}

/** RFC 9000, 16. Values of 2^32 and more, which no datagram holds, are refused. */
export function readVarint(bytes: Buffer, at: number): { value: number; end: number } | null {
  if (at >= bytes.length) return null;
  const width = 1 << (bytes[at] >> 6);
  if (at + width > bytes.length) return null;
  let value = bytes[at] & 0x3f;
  for (let i = 1; i < width; i++) value = value * 256 + bytes[at + i];
  return value < 2 ** 32 ? { value, end: at + width } : null;
}

function clientKeys({ salt, labels }: VersionKeys, firstId: Buffer): { key: Buffer; iv: Buffer; hp: Buffer } {
  const initial = createHmac('sha256', salt).update(firstId).digest();
  const secret = expandLabel(initial, 'client in', 32);
  return {
    key: expandLabel(secret, `${labels}key`, 16),
    iv: expandLabel(secret, `${labels}iv`, 12),
    hp: expandLabel(secret, `${labels}hp`, 16),
  };
}

/** HKDF-Expand-Label (RFC 8446, 7.1) without a context, of one block of SHA-256 at the most. */
function expandLabel(secret: Buffer, label: string, length: number): Buffer {
  const name = Buffer.from(`tls13 ${label}`, 'latin1');
  const info = Buffer.concat([Buffer.of(0, length, name.length), name, Buffer.of(0, 1)]);
  return createHmac('sha256', secret).update(info).digest().subarray(0, length);
}

function open(key: Buffer, nonce: Buffer, aad: Buffer, sealed: Buffer): Buffer | null {
  if (sealed.length < TAG_BYTES) return null;
  const cipher = createDecipheriv('aes-128-gcm', key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(aad);
  cipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
  const frames = cipher.update(sealed.subarray(0, sealed.length - TAG_BYTES));
  try {
    cipher.final();
    return frames;
  } catch {
    return null;
  }
}
