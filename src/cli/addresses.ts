import { type Prefix, parsePrefix, parseSocketAddress, type SocketAddress } from '../net/index.ts';

/** Parses listeners of a checked configuration. */
export function socketAddresses(texts: readonly string[]): SocketAddress[] {
  return texts.map((text) => parseSocketAddress(text)!);
}

/** Parses prefixes of a checked configuration. */
export function prefixes(texts: readonly string[]): Prefix[] {
  return texts.map((text) => parsePrefix(text)!);
}
