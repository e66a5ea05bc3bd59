/** `workerData` of a SocketWatch's thread. */
export interface WatchThreadData {
  /** The epoll descriptor; both threads wait on it. */
  readonly epoll: number;
  readonly control: Int32Array;
}

/** Words of `control`. */
export const STATE_WORD = 0;
export const STOP_WORD = 1;

/** States: nothing to read as far as the thread knows, or something to read and the thread waits until it is consumed. */
export const QUIET = 0;
export const RUNG = 1;
