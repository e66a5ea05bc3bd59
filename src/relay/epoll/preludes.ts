/** Fits a typical ClientHello with a post-quantum key share. */
const PRELUDE_BYTES = 2048;
const MAX_SPARE = 256;

/** Prelude of no bytes. */
export const NO_PRELUDE: Uint8Array = new Uint8Array(0);

/** A thread's pool of buffers that hold preludes until their origins are connected. */
export class Preludes {
  private readonly spare: Uint8Array[] = [];

  /** Returns a buffer of at least `bytes` bytes. */
  take(bytes: number): Uint8Array {
    if (bytes > PRELUDE_BYTES) return new Uint8Array(bytes);
    return this.spare.pop() ?? new Uint8Array(PRELUDE_BYTES);
  }

  /** Takes back a buffer that nothing refers to. */
  give(prelude: Uint8Array): void {
    if (prelude.length === PRELUDE_BYTES && this.spare.length < MAX_SPARE) this.spare.push(prelude);
  }
}
