/** A request in progress (RFC 9113 5.1): incomplete, or without its whole response. */
export class Http2Stream {
  readonly id: number;
  readonly openedAtMs: number;
  /** Bytes that may be sent (6.9). */
  sendWindow: number;
  /** True while the client may send; false: half-closed. */
  isOpen: boolean;
  /** True while the query's body is awaited. */
  wantsBody: boolean;
  /** Announced length of the body; -1: none. */
  contentLength: number;
  /** Bytes that count for our window: body and padding. */
  received = 0;
  body: Uint8Array | null = null;
  bodyLength = 0;
  /** The response that waits for the window. */
  response: Uint8Array | null = null;
  responseSent = 0;

  constructor(id: number, openedAtMs: number, sendWindow: number, isOpen: boolean, contentLength: number) {
    this.id = id;
    this.openedAtMs = openedAtMs;
    this.sendWindow = sendWindow;
    this.isOpen = isOpen;
    this.wantsBody = isOpen;
    this.contentLength = contentLength;
  }

  appendBody(bytes: Uint8Array, start: number, end: number): void {
    const needed = this.bodyLength + end - start;
    if (this.body === null || needed > this.body.length) {
      const larger = new Uint8Array(needed);
      if (this.body !== null) larger.set(this.body.subarray(0, this.bodyLength));
      this.body = larger;
    }
    this.body.set(bytes.subarray(start, end), this.bodyLength);
    this.bodyLength = needed;
  }
}

/** Closed streams that are remembered, one bit each. */
const REMEMBERED = 32;

/**
 * Remembers the last 32 streams (RFC 9113 5.1). Frames for a stream that we ended may still be in flight and are ignored;
 * frames for one that the client ended are an error.
 */
export class StreamHistory {
  /** The highest stream that the client has used; 0: none. */
  last = 0;
  /** Bit n stands for stream last - 2n. */
  private opened = 0;
  private endedHere = 0;

  open(id: number): void {
    const steps = this.last === 0 ? REMEMBERED : (id - this.last) / 2;
    this.opened = steps >= REMEMBERED ? 1 : (this.opened << steps) | 1;
    this.endedHere = steps >= REMEMBERED ? 0 : this.endedHere << steps;
    this.last = id;
  }

  /** Notes that we ended a stream. */
  end(id: number): void {
    const age = (this.last - id) / 2;
    if (age < REMEMBERED) this.endedHere |= 1 << age;
  }

  wasEndedHere(id: number): boolean {
    const age = (this.last - id) / 2;
    return age < REMEMBERED && ((this.endedHere >>> age) & 1) !== 0;
  }

  /** True if the client skipped this number, which closed the stream (5.1.1). */
  wasSkipped(id: number): boolean {
    const age = (this.last - id) / 2;
    return age < REMEMBERED && ((this.opened >>> age) & 1) === 0;
  }
}
