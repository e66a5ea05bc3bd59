import {
  type Address,
  addressFromBytes,
  contains,
  type Prefix,
  parsePrefix,
  type Source,
  sourceFromAddress,
} from '../net/index.ts';

/** Where a client connects from. Few connections need its address as bytes, so that is made on demand. */
export class ClientSource implements Source {
  readonly family: Source['family'];
  readonly words: Source['words'];
  readonly port: number;
  private known: Address | null = null;

  constructor({ family, words }: Source, port: number) {
    this.family = family;
    this.words = words;
    this.port = port;
  }

  get address(): Address {
    this.known ??= addressFromWords(this);
    return this.known;
  }
}

export function sourceOf(address: Address, port = 0): ClientSource {
  return new ClientSource(sourceFromAddress(address), port);
}

function addressFromWords({ family, words }: Source): Address {
  const bytes = Buffer.alloc(family === 4 ? 4 : 16);
  for (let at = 0; at < bytes.length; at += 4) bytes.writeUInt32BE(words[at / 4] >>> 0, at);
  return addressFromBytes(bytes);
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

  /** Looks a client up; an empty set does not need its address as bytes. */
  hasClient(client: ClientSource): boolean {
    return this.prefixes.length > 0 && this.has(client.address);
  }
}
