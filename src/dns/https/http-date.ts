/** Length of an HTTP date (RFC 9110 5.6.7). */
export const DATE_BYTES = 29;
const SECOND_MS = 1000;

/** The Date field of responses (RFC 9110 6.6.1), formatted once a second. One per thread. */
export class HttpDate {
  readonly bytes = new Uint8Array(DATE_BYTES);
  private readonly wallClock: () => number;
  private validUntilMs = -1;

  /** @param wallClock ms since 1970 */
  constructor(wallClock: () => number = Date.now) {
    this.wallClock = wallClock;
  }

  /** Updates `bytes` if the second has changed. @param nowMs monotonic clock */
  refresh(nowMs: number): void {
    if (nowMs < this.validUntilMs) return;
    const wallMs = this.wallClock();
    this.validUntilMs = nowMs + SECOND_MS - (wallMs % SECOND_MS);
    this.bytes.set(Buffer.from(new Date(wallMs).toUTCString()));
  }
}
