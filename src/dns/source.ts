import { type Address, parseAddress, readWord } from '../net/index.ts';

/** A query's source: 4 or 6, and its address as words in host order (IPv4: the first alone). */
export interface Source {
  readonly family: 4 | 6;
  readonly words: readonly [number, number, number, number];
}

/**
 * The address that a socket of node: names, an IPv4-mapped one as IPv4, without the zone of a link-local one.
 * @returns null where there is none: the peer has gone.
 */
export function peerAddress(text: string | undefined): Address | null {
  if (text === undefined) return null;
  const zone = text.indexOf('%');
  return parseAddress(zone < 0 ? text : text.slice(0, zone));
}

/** The source that a socket of node: names; null where there is none. */
export function sourceFromText(text: string | undefined): Source | null {
  const address = peerAddress(text);
  return address === null ? null : sourceFromAddress(address);
}

export function sourceFromAddress({ family, bytes }: Address): Source {
  if (family === 4) return { family, words: [readWord(bytes, 0), 0, 0, 0] };
  return {
    family,
    words: [readWord(bytes, 0), readWord(bytes, 4), readWord(bytes, 8), readWord(bytes, 12)],
  };
}
