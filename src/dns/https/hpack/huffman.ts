/** Length of the shortest codes: decoding yields at most 8/5 of the bytes. */
export const SHORTEST_CODE_BITS = 5;

const EOS = 256;
/**
 * Code length of each byte, and of EOS (RFC 7541 appendix B). The code is canonical (5.2): lengths determine the
 * codes.
 */
const CODE_BITS: readonly number[] = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28,
  28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7,
  8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19,
  13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13,
  28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21,
  22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23,
  22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
  19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25,
  25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
];
const LONGEST_CODE_BITS = 30;

/**
 * The code tree as a state machine that reads four bits a step. `STEPS[state * 16 + bits]` holds the next state in its low
 * byte, the flags below above it, and the decoded byte from SYMBOL_SHIFT on.
 */
const STATE_MASK = 0xff;
const EMITS = 0x100;
const FAILS = 0x200;
/** The text may end here: the bits since the last symbol are fewer than 8 and a prefix of EOS (5.2). */
const MAY_END = 0x400;
const SYMBOL_SHIFT = 16;
const STEPS = buildMachine();

interface Node {
  readonly children: [Node | null, Node | null];
  symbol: number;
  /** Number of an inner node: its state. */
  index: number;
  mayEnd: boolean;
}

function buildTree(): { root: Node; inner: Node[] } {
  const node = (): Node => ({ children: [null, null], symbol: -1, index: -1, mayEnd: false });
  const root = node();
  let code = 0;
  for (let bits = 1; bits <= LONGEST_CODE_BITS; bits++) {
    code *= 2;
    for (let symbol = 0; symbol <= EOS; symbol++) {
      if (CODE_BITS[symbol] !== bits) continue;
      let at = root;
      for (let bit = bits - 1; bit >= 0; bit--) at = at.children[(code >>> bit) & 1] ??= node();
      at.symbol = symbol;
      code++;
    }
  }
  const inner: Node[] = [root];
  for (let i = 0; i < inner.length; i++) {
    inner[i]!.index = i;
    for (const child of inner[i]!.children) if (child !== null && child.symbol < 0) inner.push(child);
  }
  let ones: Node | null = root;
  for (let bits = 0; bits < 8 && ones !== null; bits++) {
    ones.mayEnd = true;
    ones = ones.children[1];
  }
  return { root, inner };
}

function buildMachine(): Uint32Array {
  const { root, inner } = buildTree();
  const steps = new Uint32Array(inner.length * 16);
  for (const from of inner) {
    for (let bits = 0; bits < 16; bits++) {
      let at = from;
      let meaning = 0;
      for (let bit = 3; bit >= 0; bit--) {
        at = at.children[(bits >>> bit) & 1]!;
        if (at.symbol < 0) continue;
        meaning |= at.symbol === EOS ? FAILS : EMITS | (at.symbol << SYMBOL_SHIFT);
        at = root;
      }
      if (at.mayEnd) meaning |= MAY_END;
      steps[from.index * 16 + bits] = meaning | at.index;
    }
  }
  return steps;
}

/**
 * Decodes a Huffman-coded string (RFC 7541 5.2).
 * @param into needs room for 8/5 of the coded bytes from `at` on
 * @returns the end of the text in `into`; -1 if it holds EOS, or its padding is too long or not all ones
 */
export function decodeHuffman(
  bytes: Uint8Array,
  start: number,
  end: number,
  into: Uint8Array,
  at: number,
): number {
  let state = 0;
  let step = MAY_END;
  let to = at;
  let seen = 0;
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!;
    step = STEPS[state * 16 + (byte >>> 4)]!;
    seen |= step;
    if ((step & EMITS) !== 0) into[to++] = step >>> SYMBOL_SHIFT;
    step = STEPS[(step & STATE_MASK) * 16 + (byte & 15)]!;
    seen |= step;
    if ((step & EMITS) !== 0) into[to++] = step >>> SYMBOL_SHIFT;
    state = step & STATE_MASK;
  }
  return (seen & FAILS) !== 0 || (step & MAY_END) === 0 ? -1 : to;
}
