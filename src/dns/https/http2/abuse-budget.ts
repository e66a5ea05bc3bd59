/** Streams that a client may reset before they are answered, unless it resets more than half of them (CVE-2023-44487). */
const MAX_RESETS = 100;
/** Frames between two requests that ask for nothing: PING, SETTINGS, PRIORITY, windows, empty DATA (CVE-2019-9511 to 9518). */
const MAX_IDLE_FRAMES = 200;
/** Streams that the client's errors end. They cost as much as resets (CVE-2025-8671) and are limited alike. */
const MAX_STREAM_ERRORS = 50;

/** Limits the work that one HTTP/2 client may cause besides its requests. */
export class AbuseBudget {
  private requests = 0;
  private resets = 0;
  private streamErrors = 0;
  private idleFrames = 0;

  countRequest(): void {
    this.requests++;
    this.idleFrames = 0;
  }

  /** @returns false if this is one too many */
  allowsIdleFrame(): boolean {
    return ++this.idleFrames <= MAX_IDLE_FRAMES;
  }

  /** @returns false if this is one too many */
  allowsReset(): boolean {
    return ++this.resets <= MAX_RESETS || this.resets * 2 <= this.requests;
  }

  /** @returns false if this is one too many */
  allowsStreamError(): boolean {
    return ++this.streamErrors <= MAX_STREAM_ERRORS || this.streamErrors * 2 <= this.requests;
  }
}
