/** A hello of today fits, with a post-quantum key handle. */
const PRELUDE_BYTES = 2048;
const MAX_SPARE = 256;

/** What holds an prelude of no bytes. */
export const NO_PRELUDE: Uint8Array = new Uint8Array(0);

/** The memory of a thread that holds preludes until their origins are there, used again by the next ones. */
export class Preludes {
  private readonly spare: Uint8Array[] = [];

  /** Memory of `bytes` bytes or more. */
  take(bytes: number): Uint8Array {
    if (bytes > PRELUDE_BYTES) return new Uint8Array(bytes);
    return this.spare.pop() ?? new Uint8Array(PRELUDE_BYTES);
  }

  /** Takes memory back that nothing refers to any more. */
  give(prelude: Uint8Array): void {
    if (prelude.length === PRELUDE_BYTES && this.spare.length < MAX_SPARE) this.spare.push(prelude);
  }
}
