/** A hello of today fits, with a post-quantum key share. */
const OPENING_BYTES = 2048;
const MAX_SPARE = 256;

/** What holds an opening of no bytes. */
export const NO_OPENING: Uint8Array = new Uint8Array(0);

/** The memory of a thread that holds openings until their origins are there, used again by the next ones. */
export class Openings {
  private readonly spare: Uint8Array[] = [];

  /** Memory of `bytes` bytes or more. */
  take(bytes: number): Uint8Array {
    if (bytes > OPENING_BYTES) return new Uint8Array(bytes);
    return this.spare.pop() ?? new Uint8Array(OPENING_BYTES);
  }

  /** Takes memory back that nothing refers to any more. */
  give(opening: Uint8Array): void {
    if (opening.length === OPENING_BYTES && this.spare.length < MAX_SPARE) this.spare.push(opening);
  }
}
