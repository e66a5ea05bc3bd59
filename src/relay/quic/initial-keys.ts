import { createHmac } from 'node:crypto';
import { VERSION_1, VERSION_2 } from './long-header.ts';

/** Keys that protect one side's Initial packets (RFC 9001 section 5.1). */
export interface InitialKeys {
  readonly key: Buffer;
  readonly iv: Buffer;
  readonly hp: Buffer;
}

/** Salt and label prefix by version (RFC 9001 section 5.2, RFC 9369 section 3.3). */
const VERSIONS = new Map([
  [VERSION_1, { salt: Buffer.from('38762cf7f55934b34d179ae6a4c80cadccbb7f0a', 'hex'), labels: 'quic ' }],
  [VERSION_2, { salt: Buffer.from('0dede3def700a6db819381be6e269dcbf9bd2ed9', 'hex'), labels: 'quicv2 ' }],
]);

/**
 * Derives a side's Initial keys from the client's first connection id (RFC 9001 section 5.2). Anyone on the
 * path can do so.
 * @param version 1 or 2
 */
export function initialKeys(version: number, firstId: Uint8Array, side: 'client' | 'server'): InitialKeys {
  const { salt, labels } = VERSIONS.get(version)!;
  const initial = createHmac('sha256', salt).update(firstId).digest();
  const secret = expandLabel(initial, `${side} in`, 32);
  return {
    key: expandLabel(secret, `${labels}key`, 16),
    iv: expandLabel(secret, `${labels}iv`, 12),
    hp: expandLabel(secret, `${labels}hp`, 16),
  };
}

/** HKDF-Expand-Label (RFC 8446 section 7.1) with an empty context, for at most one SHA-256 block. */
function expandLabel(secret: Buffer, label: string, length: number): Buffer {
  const name = Buffer.from(`tls13 ${label}`, 'latin1');
  const info = Buffer.concat([Buffer.of(0, length, name.length), name, Buffer.of(0, 1)]);
  return createHmac('sha256', secret).update(info).digest().subarray(0, length);
}
