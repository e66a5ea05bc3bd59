/** Parts of a request head that the relay needs (RFC 9112). */
export interface RequestHead {
  /** Position of the host in the head's bytes, without port and root dot (RFC 3986 section 3.2.2). */
  readonly hostStart: number;
  readonly hostEnd: number;
  readonly body: RequestBody;
  /** True if it asks for WebSocket and nothing else (RFC 6455 section 4.1). */
  readonly wantsWebSocket: boolean;
}

/** Body length: a byte count, or chunked. */
export type RequestBody = { readonly kind: 'length'; readonly bytes: number } | { readonly kind: 'chunked' };

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const REQUEST_LINE = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([\x21-\x7e]+) HTTP\/1\.([01])$/;
/** Authority without userinfo: a host, which may end with the root dot, and an optional port, which is ignored. */
const AUTHORITY = /^([^:/?#@[\]]+?)\.?(?::\d{0,5})?$/;
// A tab is the only control character of a field value (RFC 9110, 5.5).
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
const NO_BODY: RequestBody = { kind: 'length', bytes: 0 };

interface Fields {
  host: string | null;
  hostAt: number;
  lengths: string[];
  codings: string[];
  upgrades: string[];
  connection: string[];
}

/**
 * Reads a request head: request line to empty line, as Latin-1 text. Rejects whatever two servers could read
 * differently: bare LF, folded lines, a space before a colon, two hosts, a length beside chunks (RFC 9112
 * sections 2.2, 3.2, 5.1, 6.3). Rejects CONNECT too.
 * @returns null for a rejected head, or one without a host
 */
export function readRequestHead(text: string): RequestHead | null {
  const lines = text.slice(0, -4).split('\r\n');
  if (lines.some((line) => !FIELD_VALUE.test(line))) return null;
  const request = REQUEST_LINE.exec(lines[0]);
  if (request === null || request[1] === 'CONNECT') return null;
  const fields = readFields(lines);
  if (fields === null) return null;
  const body = bodyOf(fields, request[3]);
  if (body === null) return null;
  const host = fields.host === null ? null : AUTHORITY.exec(fields.host);
  if (fields.host !== null && host === null) return null;
  const target = request[2];
  if (target.startsWith('/') || target === '*') {
    if (host === null) return null;
    const wantsWebSocket = isWebSocket(fields, request, body);
    return { hostStart: fields.hostAt, hostEnd: fields.hostAt + host[1].length, body, wantsWebSocket };
  }
  const position = absoluteForm(target, request[1].length + 1, host, request[3]);
  return position && { ...position, body, wantsWebSocket: isWebSocket(fields, request, body) };
}

function isWebSocket({ upgrades, connection }: Fields, request: RegExpExecArray, body: RequestBody): boolean {
  return (
    request[1] === 'GET' &&
    request[3] === '1' &&
    body === NO_BODY &&
    upgrades.length === 1 &&
    upgrades[0] === 'websocket' &&
    connection.some((value) => value.split(',').some((option) => option.trim() === 'upgrade'))
  );
}

/** The target's host takes precedence (RFC 9112 section 3.2.2); one that differs from Host is rejected. */
function absoluteForm(
  target: string,
  targetAt: number,
  host: RegExpExecArray | null,
  minorVersion: string,
): Pick<RequestHead, 'hostStart' | 'hostEnd'> | null {
  const match = /^http:\/\/([^/?#]+)/i.exec(target);
  const authority = match && AUTHORITY.exec(match[1]);
  if (!authority) return null;
  if (host === null && minorVersion === '1') return null;
  if (host !== null && normalized(host) !== normalized(authority)) return null;
  const hostStart = targetAt + 'http://'.length;
  return { hostStart, hostEnd: hostStart + authority[1].length };
}

/** The authority in the form to compare (RFC 9110 section 4.2.3): without root dot, without the default port, in lower case. */
function normalized(authority: RegExpExecArray): string {
  return authority[0]
    .replace(/:(?:80)?$/, '')
    .replace(/\.(?=:|$)/, '')
    .toLowerCase();
}

function readFields(lines: readonly string[]): Fields | null {
  const fields: Fields = { host: null, hostAt: 0, lengths: [], codings: [], upgrades: [], connection: [] };
  let at = lines[0].length + 2;
  for (const line of lines.slice(1)) {
    const colon = line.indexOf(':');
    if (colon < 1 || !TOKEN.test(line.slice(0, colon))) return null;
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    if (name === 'host') {
      if (fields.host !== null) return null;
      fields.host = value;
      fields.hostAt = at + colon + 1 + (line.length - colon - 1 - line.slice(colon + 1).trimStart().length);
    } else if (name === 'content-length') fields.lengths.push(value);
    else if (name === 'transfer-encoding') fields.codings.push(value.toLowerCase());
    else if (name === 'upgrade') fields.upgrades.push(value.toLowerCase());
    else if (name === 'connection') fields.connection.push(value.toLowerCase());
    at += line.length + 2;
  }
  return fields;
}

function bodyOf({ lengths, codings }: Fields, minorVersion: string): RequestBody | null {
  if (codings.length > 0) {
    const isChunked = codings.length === 1 && codings[0] === 'chunked';
    return isChunked && lengths.length === 0 && minorVersion === '1' ? { kind: 'chunked' } : null;
  }
  if (lengths.length === 0) return NO_BODY;
  if (lengths.length > 1 || !/^\d{1,15}$/.test(lengths[0])) return null;
  return { kind: 'length', bytes: Number(lengths[0]) };
}
