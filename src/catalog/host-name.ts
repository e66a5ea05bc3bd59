import { domainToASCII, domainToUnicode } from 'node:url';

/** A canonical name, or what was expected instead. */
export type HostName =
  | { readonly name: string; readonly expected: null }
  | { readonly name: null; readonly expected: string };

const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const LONGEST_NAME = 253;

function refuse(expected: string): HostName {
  return { name: null, expected };
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false;
  return true;
}

/**
 * Finds invalid A-labels, which domainToASCII accepts by their prefix; domainToUnicode leaves them unchanged.
 */
function hasBadALabel(name: string): boolean {
  const prefixed = /(?:^|\.)xn--/;
  return prefixed.test(name) && prefixed.test(domainToUnicode(name));
}

/**
 * Checks that `text` is a host name in canonical form: lower case, letters, digits and hyphens (RFC 1123
 * 2.1), no final dot, at most 253 characters. U-labels become A-labels (RFC 5891); nothing else is repaired,
 * so that a file says what the table holds.
 */
export function canonicalHostName(text: string): HostName {
  if (text === '') return refuse('a host name');
  if (text !== text.toLowerCase()) return refuse('lower case');
  if (text.endsWith('.')) return refuse('a host name without a final dot');
  const name = isAscii(text) ? text : domainToASCII(text);
  if (name === '' || hasBadALabel(name)) {
    return refuse('a host name with valid international labels (RFC 5891)');
  }
  if (name.length > LONGEST_NAME) return refuse(`at most ${LONGEST_NAME} characters`);
  const labels = name.split('.');
  for (const label of labels) {
    if (!LABEL.test(label)) return refuse('a host name of letters, digits and hyphens (RFC 1123)');
  }
  if (/^[0-9]+$/.test(labels[labels.length - 1])) return refuse('a host name, not an address');
  return { name, expected: null };
}

/** The names above `name`, nearest first, without the root: `a.b.c` gives `b.c`, `c`. */
export function namesAbove(name: string): string[] {
  const above: string[] = [];
  for (let dot = name.indexOf('.'); dot !== -1; dot = name.indexOf('.', dot + 1)) {
    above.push(name.slice(dot + 1));
  }
  return above;
}

/** The nearest name above `name` for which `isTaken` is true, or null. */
export function coveringName(name: string, isTaken: (above: string) => boolean): string | null {
  for (const above of namesAbove(name)) {
    if (isTaken(above)) return above;
  }
  return null;
}
