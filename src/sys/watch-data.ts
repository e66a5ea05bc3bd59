/** What a SocketWatch hands to its thread. */
export interface WatchThreadData {
  /** The epoll's descriptor, which both threads wait on. */
  readonly epoll: number;
  readonly control: Int32Array;
}

/** Words of `control`. */
export const STATE_WORD = 0;
export const STOP_WORD = 1;

/** States: nothing is to be read, as far as the thread knows; or something is, and it waits for that to be taken. */
export const QUIET = 0;
export const RUNG = 1;
