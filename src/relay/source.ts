import { type Address, contains, type Prefix, parsePrefix, readWord } from '../net/index.ts';

/** Where a connection comes from: its address also as 32-bit words in host order (IPv4: the first alone). */
export interface Source {
  readonly address: Address;
  readonly port: number;
  readonly words: readonly [number, number, number, number];
}

export function sourceOf(address: Address, port = 0): Source {
  const { family, bytes } = address;
  if (family === 4) return { address, port, words: [readWord(bytes, 0), 0, 0, 0] };
  return {
    address,
    port,
    words: [readWord(bytes, 0), readWord(bytes, 4), readWord(bytes, 8), readWord(bytes, 12)],
  };
}

/** A set of prefixes, given as text that has been checked. */
export class PrefixSet {
  private readonly prefixes: readonly Prefix[];

  constructor(texts: readonly string[]) {
    this.prefixes = texts.map((text) => parsePrefix(text)!);
  }

  has(address: Address): boolean {
    return this.prefixes.some((prefix) => contains(prefix, address));
  }
}
