import { createCipheriv } from 'node:crypto';
import { initialKeys } from './initial-keys.ts';
import { type LongHeader, VERSION_1, VERSION_2 } from './long-header.ts';

/** CONNECTION_CLOSE of the transport (RFC 9000, 19.19): CONNECTION_REFUSED, of no frame, without a reason. */
const REFUSED = Buffer.of(0x1c, 0x02, 0x00, 0x00);
const NUMBER_BYTES = 1;
const TAG_BYTES = 16;

/** RFC 9000, 15: one of those that no version will have. A client that is offered it alone gives up at once. */
const RESERVED_VERSION = 0x1a2a3a4a;

/** Whom a refusal is for: the version and the connection ids of the client's first Initial. */
export interface Refused {
  readonly version: number;
  readonly destinationId: Uint8Array;
  readonly sourceId: Uint8Array;
}

/**
 * An Initial packet of a server that closes the connection, so that its client comes by TCP without waiting. It needs no
 * padding, as nothing in it asks to be acknowledged (RFC 9000, 14.1), and is always shorter than a client's Initial.
 */
export function refusal({ version, destinationId, sourceId }: Refused): Buffer {
  const type = version === VERSION_2 ? 1 : 0;
  const header = Buffer.concat([
    Buffer.of(0xc0 | (type << 4) | (NUMBER_BYTES - 1), 0, 0, 0, 0, sourceId.length),
    sourceId,
    // The server's id, which it may choose: the client's own choice is at hand.
    Buffer.of(destinationId.length),
    destinationId,
    // No token; the length; the packet's number.
    Buffer.of(0, NUMBER_BYTES + REFUSED.length + TAG_BYTES, 0),
  ]);
  header.writeUInt32BE(version, 1);
  const { key, iv, hp } = initialKeys(version, destinationId, 'server');
  const cipher = createCipheriv('aes-128-gcm', key, iv).setAAD(header);
  const sealed = Buffer.concat([cipher.update(REFUSED), cipher.final(), cipher.getAuthTag()]);
  // RFC 9001, 5.4.2: the sample begins where a number of four bytes would end.
  const sample = sealed.subarray(4 - NUMBER_BYTES, 4 - NUMBER_BYTES + 16);
  const mask = createCipheriv('aes-128-ecb', hp, null).update(sample);
  header[0] ^= mask[0] & 0x0f;
  header[header.length - 1] ^= mask[1];
  return Buffer.concat([header, sealed]);
}

/**
 * A Version Negotiation packet (RFC 9000, 17.2.1) for a client of a version whose Initials cannot be read here.
 * @param header of the client's packet, in `bytes`
 * @param carries whether the versions that can be read are offered; else it offers none that exists
 */
export function versionNegotiation(header: LongHeader, bytes: Uint8Array, carries: boolean): Buffer {
  const { destinationStart, destinationEnd, sourceStart, sourceEnd } = header;
  const versions = carries ? [VERSION_1, VERSION_2] : [RESERVED_VERSION];
  const list = Buffer.alloc(versions.length * 4);
  for (const [i, version] of versions.entries()) list.writeUInt32BE(version, i * 4);
  return Buffer.concat([
    Buffer.of(0xc0, 0, 0, 0, 0, sourceEnd - sourceStart),
    bytes.subarray(sourceStart, sourceEnd),
    Buffer.of(destinationEnd - destinationStart),
    bytes.subarray(destinationStart, destinationEnd),
    list,
  ]);
}
