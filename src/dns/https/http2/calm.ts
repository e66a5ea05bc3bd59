/** Streams that a client may give up before they are answered, if it does so with every second (CVE-2023-44487). */
const MAX_RESETS = 100;
/** Frames between two requests that ask for nothing: PING, SETTINGS, PRIORITY, windows, empty DATA (CVE-2019-9511 to 9518). */
const MAX_IDLE_FRAMES = 200;
/** Streams that end by the client's faults, which cost as much as those that it resets (CVE-2025-8671): held against it as those are. */
const MAX_STREAM_ERRORS = 50;

/** What a client makes a connection of HTTP/2 cost besides its requests. */
export class CalmBudget {
  private requests = 0;
  private resets = 0;
  private streamErrors = 0;
  private idleFrames = 0;

  takeRequest(): void {
    this.requests++;
    this.idleFrames = 0;
  }

  /** @returns false where it is one too many */
  takeIdleFrame(): boolean {
    return ++this.idleFrames <= MAX_IDLE_FRAMES;
  }

  /** @returns false where it is one too many */
  takeReset(): boolean {
    return ++this.resets <= MAX_RESETS || this.resets * 2 <= this.requests;
  }

  /** @returns false where it is one too many */
  takeStreamError(): boolean {
    return ++this.streamErrors <= MAX_STREAM_ERRORS || this.streamErrors * 2 <= this.requests;
  }
}
