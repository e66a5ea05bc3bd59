/** Base32 of 130 bits. */
const TOKEN_BYTES = 26;
const TOKEN = /^[a-z2-7]{26}$/;
const DOT = 0x2e;
const UPPER_CASE_BIT = 0x20;

/** Returns the token of a host name TOKEN.DOMAIN, in lower case; null for other names. */
export function tokenOfHost(name: string, domain: string): string | null {
  if (name.length !== TOKEN_BYTES + 1 + domain.length || name.charCodeAt(TOKEN_BYTES) !== DOT) return null;
  const lower = name.toLowerCase();
  const token = lower.slice(0, TOKEN_BYTES);
  return lower.endsWith(domain) && TOKEN.test(token) ? token : null;
}

/** Returns the token in bytes[start, end), in lower case; null for anything else. */
export function tokenOfBytes(bytes: Uint8Array, start: number, end: number): string | null {
  if (end - start !== TOKEN_BYTES) return null;
  let token = '';
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!;
    token += String.fromCharCode(byte >= 0x41 && byte <= 0x5a ? byte | UPPER_CASE_BIT : byte);
  }
  return TOKEN.test(token) ? token : null;
}
