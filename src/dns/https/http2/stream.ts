/** A request that is not whole or whose response has not been sent (RFC 9113 5.1). One that is answered at once needs none. */
export class Http2Stream {
  readonly id: number;
  readonly openedAtMs: number;
  /** What of the response may be sent (6.9). */
  sendWindow: number;
  /** Whether the client may still send (open), or has ended its side (half-closed). */
  isOpen: boolean;
  /** Whether the query comes in the body. */
  wantsBody: boolean;
  /** What the head says of the body's length; -1: nothing. */
  contentLength: number;
  /** Bytes that came and count for the window: the body and its padding. */
  received = 0;
  body: Uint8Array | null = null;
  bodyLength = 0;
  /** What of a response waits for the window. */
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

/** Of the streams that were opened last: which the client opened, and which ended from here. */
const REMEMBERED = 32;

/**
 * What is known of streams that are closed (RFC 9113 5.1): frames for one that ended from here may be under way still and
 * are ignored, others are faults. Of older streams than the last 32 nothing is known.
 */
export class StreamHistory {
  /** The highest number that a client has used; 0: none. */
  last = 0;
  /** Bit n is about stream last - 2n. */
  private opened = 0;
  private endedHere = 0;

  open(id: number): void {
    const steps = this.last === 0 ? REMEMBERED : (id - this.last) / 2;
    this.opened = steps >= REMEMBERED ? 1 : (this.opened << steps) | 1;
    this.endedHere = steps >= REMEMBERED ? 0 : this.endedHere << steps;
    this.last = id;
  }

  /** Notes that a stream was ended from here. */
  end(id: number): void {
    const age = (this.last - id) / 2;
    if (age < REMEMBERED) this.endedHere |= 1 << age;
  }

  wasEndedHere(id: number): boolean {
    const age = (this.last - id) / 2;
    return age < REMEMBERED && ((this.endedHere >>> age) & 1) !== 0;
  }

  /** Whether the client has left out this number, so that it may not be opened any more (5.1.1). */
  wasSkipped(id: number): boolean {
    const age = (this.last - id) / 2;
    return age < REMEMBERED && ((this.opened >>> age) & 1) === 0;
  }
}
