import { type Address, parseAddress, readWord } from './address.ts';

/** Source of a packet or connection, as the allowlist looks it up: words in host order; IPv4 uses the first alone. */
export interface Source {
  readonly family: 4 | 6;
  readonly words: ArrayLike<number>;
}

export function sourceFromAddress({ family, bytes }: Address): Source {
  if (family === 4) return { family, words: [readWord(bytes, 0), 0, 0, 0] };
  return {
    family,
    words: [readWord(bytes, 0), readWord(bytes, 4), readWord(bytes, 8), readWord(bytes, 12)],
  };
}

/**
 * Parses a Node socket's peer address: IPv4-mapped becomes IPv4, and the zone of a link-local address is
 * dropped.
 * @returns null if the socket no longer has a peer
 */
export function peerAddress(text: string | undefined): Address | null {
  if (text === undefined) return null;
  const zone = text.indexOf('%');
  return parseAddress(zone < 0 ? text : text.slice(0, zone));
}

/** Source of a Node socket's peer; null if it no longer has one. */
export function sourceFromText(text: string | undefined): Source | null {
  const address = peerAddress(text);
  return address === null ? null : sourceFromAddress(address);
}
