import fc from 'fast-check';
import { expect, test } from 'vitest';
import { copyBytes } from '../../src/wire/index.ts';

test('a copy stays as it is, whatever is copied after it and done to the original', () => {
  const ranges = fc.array(fc.tuple(fc.nat(6000), fc.nat(6000)), { minLength: 20, maxLength: 60 });
  fc.assert(
    fc.property(ranges, (pairs) => {
      const bytes = Uint8Array.from({ length: 6000 }, (_, i) => (i * 7) & 0xff);
      const kept = pairs.map(([a, b]) => {
        const [from, to] = [Math.min(a, b), Math.max(a, b)];
        const copy = copyBytes(bytes, from, to);
        expect(copy.byteOffset % 8).toBe(0);
        return { copy, expected: Uint8Array.from(bytes.subarray(from, to)) };
      });
      bytes.fill(0xee);
      // Compared by Buffer: expect would compare byte by byte, in seconds.
      for (const { copy, expected } of kept) expect(Buffer.compare(copy, expected)).toBe(0);
    }),
    { numRuns: 50 },
  );
});
