const CR = 0x0d;
const LF = 0x0a;
/** Limit for a chunk's size and extensions. */
const MAX_LINE_BYTES = 1024;
const MAX_TRAILER_BYTES = 8192;
/** Allows 2^48 bytes, more than any connection carries. */
const MAX_SIZE_DIGITS = 12;

const Part = { SIZE: 0, DATA: 1, DATA_END: 2, TRAILER: 3 } as const;
type Part = (typeof Part)[keyof typeof Part];

/** Finds the end of a chunked body (RFC 9112 section 7.1) without changing it. */
export class ChunkReader {
  isWhole = false;
  private part: Part = Part.SIZE;
  private left = 0;
  private line: number[] = [];
  private trailerBytes = 0;

  /**
   * Continues in `chunk` from `start`. @returns the offset behind the body's bytes, or -1 for an invalid body
   */
  read(chunk: Uint8Array, start: number): number {
    let at = start;
    while (at < chunk.length && !this.isWhole) {
      if (this.part === Part.DATA) {
        const taken = Math.min(this.left, chunk.length - at);
        this.left -= taken;
        at += taken;
        if (this.left === 0) this.part = Part.DATA_END;
      } else if (!this.readLineByte(chunk[at++])) return -1;
    }
    return at;
  }

  /** Reads a byte of a line. Lines end with CR LF and contain neither. */
  private readLineByte(byte: number): boolean {
    const { line } = this;
    if (byte === LF) return line[line.length - 1] === CR && this.endLine(line.length - 1);
    if (this.part === Part.DATA_END && byte !== CR) return false;
    if (line[line.length - 1] === CR || line.length > MAX_LINE_BYTES) return false;
    line.push(byte);
    return true;
  }

  private endLine(length: number): boolean {
    const text = String.fromCharCode(...this.line.slice(0, length));
    this.line = [];
    if (this.part === Part.SIZE) return this.beginChunk(text);
    if (this.part === Part.DATA_END) {
      this.part = Part.SIZE;
      return text === '';
    }
    this.trailerBytes += length;
    if (text === '') this.isWhole = true;
    return this.trailerBytes <= MAX_TRAILER_BYTES;
  }

  private beginChunk(text: string): boolean {
    const size = /^([0-9a-fA-F]+)[ \t]*(?:;.*)?$/.exec(text)?.[1];
    if (size === undefined || size.length > MAX_SIZE_DIGITS) return false;
    this.left = Number.parseInt(size, 16);
    this.part = this.left === 0 ? Part.TRAILER : Part.DATA;
    return true;
  }
}
