import { parseAddress, type Source, sourceFromAddress } from '../../src/net/index.ts';

export function source(text: string): Source {
  return sourceFromAddress(parseAddress(text)!);
}

export function ipv4Source(word: number): Source {
  return { family: 4, words: [word, 0, 0, 0] };
}

export function ipv6Source(w0: number, w1: number, w2: number, w3: number): Source {
  return { family: 6, words: [w0, w1, w2, w3] };
}
