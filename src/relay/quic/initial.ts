import { createCipheriv, createDecipheriv } from 'node:crypto';
import { initialKeys } from './initial-keys.ts';
import { LongHeader, PacketType } from './long-header.ts';
import { readVarint } from './varint.ts';

/** A decrypted Initial packet of a client. */
export interface Initial {
  readonly version: number;
  readonly destinationId: Buffer;
  readonly sourceId: Buffer;
  readonly frames: Buffer;
  /** Offset behind the packet; others may follow in the datagram. */
  readonly end: number;
}

/** Shortest datagram with an Initial (RFC 9000 section 14.1); shorter ones are not answered. */
export const MIN_INITIAL_DATAGRAM_BYTES = 1200;
const SAMPLE_BYTES = 16;
const TAG_BYTES = 16;
const FIXED_BIT = 0x40;

/**
 * Decrypts the Initial packet at datagram[start].
 * @param firstId id that the client's keys derive from; null: the packet's own, as in a connection's first
 *   packet
 * @returns null if it is not an Initial of version 1 or 2 with those keys
 */
export function openInitial(datagram: Buffer, start: number, firstId: Buffer | null): Initial | null {
  const header = readHeader(datagram, start);
  if (header === null) return null;
  const { version, destinationId, sourceId, numberAt, end } = header;
  if (numberAt + 4 + SAMPLE_BYTES > end) return null;
  const { key, iv, hp } = initialKeys(version, firstId ?? destinationId, 'client');
  const mask = createCipheriv('aes-128-ecb', hp, null).update(
    datagram.subarray(numberAt + 4, numberAt + 4 + SAMPLE_BYTES),
  );
  const first = datagram[start] ^ (mask[0] & 0x0f);
  const numberBytes = (first & 0x03) + 1;
  const aad = Buffer.from(datagram.subarray(start, numberAt + numberBytes));
  aad[0] = first;
  const nonce = Buffer.from(iv);
  for (let i = 0; i < numberBytes; i++) {
    const byte = datagram[numberAt + i] ^ mask[1 + i];
    aad[numberAt - start + i] = byte;
    nonce[nonce.length - numberBytes + i] ^= byte;
  }
  const frames = open(key, nonce, aad, datagram.subarray(numberAt + numberBytes, end));
  return frames && { version, destinationId, sourceId, frames, end };
}

interface InitialHeader {
  readonly version: number;
  readonly destinationId: Buffer;
  readonly sourceId: Buffer;
  readonly numberAt: number;
  readonly end: number;
}

/** Reads the unprotected parts of an Initial's header (RFC 9000 section 17.2.2). */
function readHeader(datagram: Buffer, start: number): InitialHeader | null {
  const header = new LongHeader();
  if (!header.read(datagram, start, datagram.length) || header.type !== PacketType.INITIAL) return null;
  if ((datagram[start] & FIXED_BIT) === 0) return null;
  const { version } = header;
  const destinationId = datagram.subarray(header.destinationStart, header.destinationEnd);
  const sourceId = datagram.subarray(header.sourceStart, header.sourceEnd);
  const token = readVarint(datagram, header.sourceEnd);
  const length = token && readVarint(datagram, token.end + token.value);
  if (length === null) return null;
  const numberAt = length.end;
  const end = numberAt + length.value;
  return end > datagram.length ? null : { version, destinationId, sourceId, numberAt, end };
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
