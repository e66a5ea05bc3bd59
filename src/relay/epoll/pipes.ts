import { Pipe } from '../../sys/index.ts';

/**
 * Capacity of a pipe: more needs fewer calls, but a slow reader may leave that much in the kernel. A pipe has
 * 64 slots, one for each piece as it arrived; a slot may pin a page of up to 32 KiB.
 */
export const PIPE_BYTES = 256 * 1024;
/**
 * Pipes per thread: 32 MiB if all readers are slow, 256 MiB if senders also send small pieces. Further tunnels
 * copy.
 */
const MAX_PIPES = 128;

/**
 * Pool of pipes for splice(2), which moves bytes without copying. A direction holds a pipe only while there is
 * data in it or more to come.
 */
export class Pipes {
  private readonly spare: Pipe[] = [];
  private made = 0;
  private readonly max: number;

  constructor(max = MAX_PIPES) {
    this.max = max;
  }

  /** @returns null if all are in use or the kernel refuses another */
  take(): Pipe | null {
    const spare = this.spare.pop();
    if (spare !== undefined) return spare;
    if (this.made >= this.max) return null;
    const pipe = Pipe.open(PIPE_BYTES);
    if (pipe !== null) this.made++;
    return pipe;
  }

  /** @param isEmpty false: bytes are left in it, so it is closed */
  give(pipe: Pipe, isEmpty: boolean): void {
    if (isEmpty) {
      this.spare.push(pipe);
      return;
    }
    pipe.close();
    this.made--;
  }

  /** Closes the idle pipes. */
  close(): void {
    for (const pipe of this.spare.splice(0)) pipe.close();
  }
}
