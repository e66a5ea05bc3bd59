/** Builds QUIC packets byte by byte, and decrypts the relay's answers. */
import { createCipheriv, createDecipheriv } from 'node:crypto';
import { type InitialKeys, initialKeys } from '../../../src/relay/quic/initial-keys.ts';
import { hello } from '../../net/hello/build.ts';

export const VERSION_1 = 1;
export const VERSION_2 = 0x6b3343cf;
/** Types of long headers by the bits of version 1 (RFC 9000 section 17.2). */
export const Kind = { INITIAL: 0, ZERO_RTT: 1, HANDSHAKE: 2, RETRY: 3 } as const;
export type Kind = (typeof Kind)[keyof typeof Kind];

/** A varint of four bytes (RFC 9000 section 16). */
const varint = (value: number) =>
  Buffer.of(0x80 | (value >> 24), (value >> 16) & 255, (value >> 8) & 255, value & 255);

/** A CRYPTO frame (RFC 9000 section 19.6). */
export const crypto = (offset: number, data: Uint8Array): Buffer =>
  Buffer.concat([Buffer.of(6), varint(offset), varint(data.length), data]);

export const id = (text: string): Buffer => Buffer.from(text, 'latin1');

interface Ids {
  readonly version?: number;
  readonly destination: Uint8Array;
  readonly source?: Uint8Array;
}

function longHeader(kind: Kind, { version = VERSION_1, destination, source = id('client01') }: Ids): Buffer {
  const bits = version === VERSION_2 ? (kind + 1) & 3 : kind;
  const fixed = Buffer.of(0xc0 | (bits << 4), 0, 0, 0, 0);
  fixed.writeUInt32BE(version, 1);
  return Buffer.concat([fixed, Buffer.of(destination.length), destination, Buffer.of(source.length), source]);
}

/** A packet whose payload is not decrypted here: 0-RTT, Handshake. */
export function longPacket(kind: Kind, ids: Ids, payload: string): Buffer {
  const body = Buffer.from(payload, 'latin1');
  return Buffer.concat([longHeader(kind, ids), varint(body.length), body]);
}

/** A server packet without a length: Retry, or of an unknown version. */
export function openPacket(kind: Kind, ids: Ids, payload: string): Buffer {
  return Buffer.concat([longHeader(kind, ids), Buffer.from(payload, 'latin1')]);
}

/** A 1-RTT packet. */
export function short(destination: Uint8Array, payload: string): Buffer {
  return Buffer.concat([Buffer.of(0x41), destination, Buffer.from(payload, 'latin1')]);
}

export interface InitialFields extends Ids {
  readonly frames: Uint8Array;
  readonly number?: number;
  /** Connection id that the keys derive from; by default the destination. */
  readonly firstId?: Uint8Array;
  readonly token?: Uint8Array;
  /** Length of the packet; 0: no padding. */
  readonly size?: number;
  readonly side?: 'client' | 'server';
}

/** A sealed Initial packet. */
export function initial(fields: InitialFields): Buffer {
  const { frames, number = 0, token = id(''), size = 1200, version = VERSION_1, side = 'client' } = fields;
  const keys = initialKeys(version, fields.firstId ?? fields.destination, side);
  const start = Buffer.concat([longHeader(Kind.INITIAL, fields), varint(token.length), token]);
  start[0]! |= 3;
  const payload = Buffer.alloc(Math.max(frames.length, size - start.length - 4 - 4 - 16));
  payload.set(frames);
  const header = Buffer.concat([start, varint(4 + payload.length + 16), Buffer.alloc(4)]);
  header.writeUInt32BE(number, header.length - 4);
  const cipher = createCipheriv('aes-128-gcm', keys.key, nonceOf(keys, number)).setAAD(header);
  const sealed = Buffer.concat([cipher.update(payload), cipher.final(), cipher.getAuthTag()]);
  const mask = maskOf(keys, sealed.subarray(0, 16));
  header[0]! ^= mask[0]! & 0x0f;
  for (let i = 0; i < 4; i++) header[header.length - 4 + i]! ^= mask[1 + i]!;
  return Buffer.concat([header, sealed]);
}

/** A client's first datagrams: one for each piece of its hello. */
export function opening(
  name: string,
  { pieces = 1, extensions, ...fields }: Omit<InitialFields, 'frames'> & OpeningFields,
): Buffer[] {
  const message = hello({ name, ...(extensions && { extensions }) });
  const length = Math.ceil(message.length / pieces);
  return Array.from({ length: pieces }, (_, i) =>
    initial({
      ...fields,
      number: i,
      frames: crypto(i * length, message.subarray(i * length, (i + 1) * length)),
    }),
  );
}

interface OpeningFields {
  readonly pieces?: number;
  readonly extensions?: readonly (readonly [number, readonly number[]])[];
}

/**
 * Decrypts a server's Initial with a one-byte packet number.
 * @param firstId connection id that the client chose
 * @returns its connection ids and frames; throws if it cannot be decrypted
 */
export function openServerInitial(packet: Buffer, version: number, firstId: Uint8Array) {
  const keys = initialKeys(version, firstId, 'server');
  const destinationEnd = 6 + packet[5]!;
  const sourceEnd = destinationEnd + 1 + packet[destinationEnd]!;
  const numberAt = sourceEnd + 2;
  const mask = maskOf(keys, packet.subarray(numberAt + 4, numberAt + 20));
  const header = Buffer.from(packet.subarray(0, numberAt + 1));
  header[0]! ^= mask[0]! & 0x0f;
  header[numberAt]! ^= mask[1]!;
  const decipher = createDecipheriv('aes-128-gcm', keys.key, nonceOf(keys, header[numberAt]!));
  decipher.setAAD(header).setAuthTag(packet.subarray(-16));
  const frames = Buffer.concat([decipher.update(packet.subarray(numberAt + 1, -16)), decipher.final()]);
  return {
    version: packet.readUInt32BE(1),
    length: packet[sourceEnd + 1],
    destination: packet.subarray(6, destinationEnd),
    source: packet.subarray(destinationEnd + 1, sourceEnd),
    frames,
  };
}

function nonceOf({ iv }: InitialKeys, number: number): Buffer {
  const nonce = Buffer.from(iv);
  for (let i = 0; i < 4; i++) nonce[11 - i]! ^= (number >>> (i * 8)) & 255;
  return nonce;
}

function maskOf({ hp }: InitialKeys, sample: Uint8Array): Buffer {
  return createCipheriv('aes-128-ecb', hp, null).update(sample);
}
