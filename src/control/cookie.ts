import type { IncomingMessage } from 'node:http';

const NAME = 'ms_session';
const MAX_AGE_SECONDS = 30 * 86_400;
/** RFC 6265, section 4.1.1: cookie-byte, as far as our own values go. */
const VALUE = /^[\w-]{1,128}$/;

/** Reads the session's secret from a call's cookies; null if there is none of our form. */
export function sessionOf(request: IncomingMessage): string | null {
  const header = request.headers.cookie;
  if (header === undefined) return null;
  for (const pair of header.split(';')) {
    const [name, value] = pair.split('=', 2);
    if (name!.trim() === NAME && value !== undefined && VALUE.test(value.trim())) return value.trim();
  }
  return null;
}

/** Builds the session's Set-Cookie: not for scripts, not for calls from other sites, and only over https if that is used. */
export function sessionCookie(secret: string, isSecure: boolean): string {
  return `${NAME}=${secret}; ${attributes(isSecure)}; Max-Age=${MAX_AGE_SECONDS}`;
}

/** Builds the Set-Cookie that removes the session's cookie. */
export function endedCookie(isSecure: boolean): string {
  return `${NAME}=; ${attributes(isSecure)}; Max-Age=0`;
}

function attributes(isSecure: boolean): string {
  return `Path=/; HttpOnly; SameSite=Strict${isSecure ? '; Secure' : ''}`;
}
