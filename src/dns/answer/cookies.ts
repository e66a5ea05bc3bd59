import { CLIENT_COOKIE_BYTES, COOKIE_BYTES, readU32, writeU32 } from '../../wire/index.ts';
import { SipHash } from './siphash.ts';

/** Bytes of a secret: the key of SipHash-2-4. */
export const COOKIE_SECRET_BYTES = 16;
const VERSION = 1;
const TIMESTAMP = 12;
const HASH = 16;
/** RFC 9018 4.3: a cookie is valid for an hour and replaced after half of it; clocks may differ by five minutes. */
const OLDEST_SECONDS = 3600;
const FUTURE_SECONDS = 300;
const RENEW_SECONDS = 1800;

/** Server cookies (RFC 7873) in the form that all servers behind one address share (RFC 9018 4). */
export class ServerCookies {
  private readonly hashes: readonly SipHash[];
  private readonly wallClock: () => number;
  private readonly hashed = new Uint8Array(32);
  private readonly expected = new Uint8Array(8);

  /**
   * @param secrets COOKIE_SECRET_BYTES each, at least one: the first signs, all verify
   * @param wallClock ms since 1970
   */
  constructor(secrets: readonly Uint8Array[], wallClock: () => number) {
    this.hashes = secrets.map((secret) => new SipHash(secret));
    this.wallClock = wallClock;
  }

  /**
   * True if cookie[0, length), client and server part, was made here for this source and has not expired.
   * @param source words in host order; IPv4 uses the first alone
   */
  isValid(cookie: Uint8Array, length: number, family: number, source: Int32Array): boolean {
    return this.signerOf(cookie, length, family, source) >= 0;
  }

  /**
   * Completes the client cookie in `cookie` with a server cookie. Keeps the present one if it is valid, young and
   * made with the first secret.
   * @param length bytes of the cookie that the client sent
   * @returns true if the client's was valid
   */
  complete(cookie: Uint8Array, length: number, family: number, source: Int32Array): boolean {
    const signer = this.signerOf(cookie, length, family, source);
    if (signer === 0 && this.ageSeconds(cookie) < RENEW_SECONDS) return true;
    cookie[CLIENT_COOKIE_BYTES] = VERSION;
    for (let i = 1; i < 4; i++) cookie[CLIENT_COOKIE_BYTES + i] = 0;
    writeU32(cookie, TIMESTAMP, Math.floor(this.wallClock() / 1000));
    this.sign(this.hashes[0], cookie, family, source);
    for (let i = 0; i < 8; i++) cookie[HASH + i] = this.expected[i];
    return signer >= 0;
  }

  /** @returns index of the secret that a valid cookie was made with, or -1 */
  private signerOf(cookie: Uint8Array, length: number, family: number, source: Int32Array): number {
    if (length !== COOKIE_BYTES || cookie[CLIENT_COOKIE_BYTES] !== VERSION) return -1;
    const age = this.ageSeconds(cookie);
    if (age > OLDEST_SECONDS || age < -FUTURE_SECONDS) return -1;
    for (let i = 0; i < this.hashes.length; i++) {
      this.sign(this.hashes[i], cookie, family, source);
      let difference = 0;
      for (let k = 0; k < 8; k++) difference |= this.expected[k] ^ cookie[HASH + k];
      if (difference === 0) return i;
    }
    return -1;
  }

  /** In serial number arithmetic (RFC 1982), because the clock's 32 bits end in 2106. */
  private ageSeconds(cookie: Uint8Array): number {
    return (Math.floor(this.wallClock() / 1000) - readU32(cookie, TIMESTAMP)) | 0;
  }

  /** Computes `expected` from client cookie, version, reserved bytes, timestamp and client address. */
  private sign(hash: SipHash, cookie: Uint8Array, family: number, source: Int32Array): void {
    const { hashed, expected } = this;
    for (let i = 0; i < HASH; i++) hashed[i] = cookie[i];
    const words = family === 4 ? 1 : 4;
    for (let i = 0; i < words; i++) {
      hashed[HASH + 4 * i] = source[i] >>> 24;
      hashed[HASH + 4 * i + 1] = source[i] >>> 16;
      hashed[HASH + 4 * i + 2] = source[i] >>> 8;
      hashed[HASH + 4 * i + 3] = source[i];
    }
    hash.digest(hashed, HASH + 4 * words);
    for (let i = 0; i < 4; i++) {
      expected[i] = hash.hash[0] >>> (8 * i);
      expected[4 + i] = hash.hash[1] >>> (8 * i);
    }
  }
}
