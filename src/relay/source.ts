import {
  type Address,
  contains,
  type Prefix,
  parsePrefix,
  type Source,
  sourceFromAddress,
} from '../net/index.ts';

/** Address and port that a client connects from. */
export interface ClientSource extends Source {
  readonly address: Address;
  readonly port: number;
}

export function sourceOf(address: Address, port = 0): ClientSource {
  return { ...sourceFromAddress(address), address, port };
}

/** A set of prefixes, given as checked text. */
export class PrefixSet {
  private readonly prefixes: readonly Prefix[];

  constructor(texts: readonly string[]) {
    this.prefixes = texts.map((text) => parsePrefix(text)!);
  }

  has(address: Address): boolean {
    return this.prefixes.some((prefix) => contains(prefix, address));
  }
}
