import { type Address, formatAddress, parseAddress } from './address.ts';

/** URL of a proxy for TCP connections. */
export interface ProxyUrl {
  readonly scheme: 'socks5' | 'http';
  /** Address without brackets, or host name. */
  readonly host: string;
  /** The host as an address; null for a name. */
  readonly address: Address | null;
  readonly port: number;
  /** Each 1 to 255 bytes of UTF-8 (RFC 1929 section 2); null: no credentials. */
  readonly credentials: { readonly username: string; readonly password: string } | null;
}

const PROXY_URL = /^(socks5|http):\/\/(?:([^/?#\s]*)@)?(\[[^\]]*\]|[^:@[\]/?#\s]+):(\d{1,5})\/?$/i;
const HOST_NAME = /^(?=.{1,253}$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.?)+$/i;
const MAX_CREDENTIAL_BYTES = 255;

/**
 * Parses `socks5://[USER:PASSWORD@]HOST:PORT` (RFC 1928) or `http://[USER:PASSWORD@]HOST:PORT` (CONNECT, RFC
 * 9110 section 9.3.6). User and password are percent-encoded.
 * @returns null for anything else
 */
export function parseProxyUrl(text: string): ProxyUrl | null {
  const match = PROXY_URL.exec(text);
  if (match === null) return null;
  const [, scheme, userInfo, hostText, portText] = match as unknown as [
    string,
    string,
    string | undefined,
    string,
    string,
  ];
  const port = Number(portText);
  const isBracketed = hostText.startsWith('[');
  const address = parseAddress(isBracketed ? hostText.slice(1, -1) : hostText);
  const isSound = isBracketed
    ? address !== null && hostText.includes(':')
    : address !== null || HOST_NAME.test(hostText);
  if (!isSound || port < 1 || port > 65_535) return null;
  const credentials = userInfo === undefined ? null : readCredentials(userInfo);
  if (credentials === undefined) return null;
  return {
    scheme: scheme.toLowerCase() as ProxyUrl['scheme'],
    host: address === null ? hostText.toLowerCase() : formatAddress(address),
    address,
    port,
    credentials,
  };
}

/** Formats the URL without credentials. */
export function proxyLabel({ scheme, host, address, port }: ProxyUrl): string {
  return `${scheme}://${address?.family === 6 ? `[${host}]` : host}:${port}`;
}

function readCredentials(userInfo: string): ProxyUrl['credentials'] | undefined {
  const colon = userInfo.indexOf(':');
  if (colon < 0) return undefined;
  try {
    const username = decodeURIComponent(userInfo.slice(0, colon));
    const password = decodeURIComponent(userInfo.slice(colon + 1));
    // No control characters, and no colon in the user name (RFC 7617 section 2).
    const isSound = [username, password].every(isCredential) && !username.includes(':');
    return isSound ? { username, password } : undefined;
  } catch {
    return undefined;
  }
}

function isCredential(text: string): boolean {
  const bytes = Buffer.byteLength(text);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  return bytes > 0 && bytes <= MAX_CREDENTIAL_BYTES && !/[\u0000-\u001f\u007f]/.test(text);
}
