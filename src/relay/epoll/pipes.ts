import { Pipe } from '../../sys/index.ts';

/**
 * What a pipe holds: more makes fewer calls, and is what a slow reader may have waiting in the kernel. It has 64 places,
 * each for a piece as it came, which may keep a page of up to 32 KiB.
 */
export const PIPE_BYTES = 256 * 1024;
/** Of a thread: 32 MiB where all readers are slow, 256 MiB where senders also cut what they send small. Others copy. */
const MAX_PIPES = 128;

/**
 * The pipes that directions with much to carry pass it through by splice(2), which copies nothing. A direction keeps
 * one only while there is something in it or more to come.
 */
export class Pipes {
  private readonly spare: Pipe[] = [];
  private made = 0;
  private readonly max: number;

  constructor(max = MAX_PIPES) {
    this.max = max;
  }

  /** @returns null where all are in use, or none can be had */
  take(): Pipe | null {
    const spare = this.spare.pop();
    if (spare !== undefined) return spare;
    if (this.made >= this.max) return null;
    const pipe = Pipe.open(PIPE_BYTES);
    if (pipe !== null) this.made++;
    return pipe;
  }

  /** @param isEmpty whether nothing is left in it: else it is of no more use. */
  give(pipe: Pipe, isEmpty: boolean): void {
    if (isEmpty) {
      this.spare.push(pipe);
      return;
    }
    pipe.close();
    this.made--;
  }

  /** Closes those that nothing uses. */
  close(): void {
    for (const pipe of this.spare.splice(0)) pipe.close();
  }
}
