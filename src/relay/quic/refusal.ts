import { createCipheriv } from 'node:crypto';
import { initialKeys } from './initial-keys.ts';
import { type LongHeader, VERSION_1, VERSION_2 } from './long-header.ts';

/** Transport CONNECTION_CLOSE (RFC 9000 section 19.19): CONNECTION_REFUSED, no frame type, no reason. */
const REFUSED = Buffer.of(0x1c, 0x02, 0x00, 0x00);
const NUMBER_BYTES = 1;
const TAG_BYTES = 16;

/** A reserved version (RFC 9000 section 15). A client that is offered only this gives up at once. */
const RESERVED_VERSION = 0x1a2a3a4a;

/** Version and connection ids of the client's first Initial. */
export interface Refused {
  readonly version: number;
  readonly destinationId: Uint8Array;
  readonly sourceId: Uint8Array;
}

/**
 * Builds a server Initial that closes the connection, so that the client falls back to TCP at once. It needs no
 * padding, as it is not ack-eliciting (RFC 9000 section 14.1), and is always shorter than the client's Initial.
 */
export function refusal({ version, destinationId, sourceId }: Refused): Buffer {
  const type = version === VERSION_2 ? 1 : 0;
  const header = Buffer.concat([
    Buffer.of(0xc0 | (type << 4) | (NUMBER_BYTES - 1), 0, 0, 0, 0, sourceId.length),
    sourceId,
    // The server's id is free to choose; reuse the client's choice.
    Buffer.of(destinationId.length),
    destinationId,
    // No token; length; packet number.
    Buffer.of(0, NUMBER_BYTES + REFUSED.length + TAG_BYTES, 0),
  ]);
  header.writeUInt32BE(version, 1);
  const { key, iv, hp } = initialKeys(version, destinationId, 'server');
  const cipher = createCipheriv('aes-128-gcm', key, iv).setAAD(header);
  const sealed = Buffer.concat([cipher.update(REFUSED), cipher.final(), cipher.getAuthTag()]);
  // The sample begins where a 4-byte packet number would end (RFC 9001 section 5.4.2).
  const sample = sealed.subarray(4 - NUMBER_BYTES, 4 - NUMBER_BYTES + 16);
  const mask = createCipheriv('aes-128-ecb', hp, null).update(sample);
  header[0] ^= mask[0] & 0x0f;
  header[header.length - 1] ^= mask[1];
  return Buffer.concat([header, sealed]);
}

/**
 * Builds a Version Negotiation packet (RFC 9000 section 17.2.1) for a client of an unknown version.
 * @param header of the client's packet, in `bytes`
 * @param carries offer the readable versions; false: offer only a reserved one
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
