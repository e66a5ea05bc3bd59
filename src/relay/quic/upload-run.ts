import type { PacketBatch } from '../../sys/index.ts';

/** Destination of a run. An interface, as OriginSocket imports this file. */
interface RunTarget {
  /** Sends slots [first, first + count) of the batch. */
  forward(batch: PacketBatch, first: number, count: number): void;
}

/** Consecutive datagrams of a batch for one origin, sent with one system call. */
export class UploadRun {
  private readonly batch: PacketBatch;
  private origin: RunTarget | null = null;
  private first = 0;
  private count = 0;

  /** @param batch that clients' datagrams are received in */
  constructor(batch: PacketBatch) {
    this.batch = batch;
  }

  add(origin: RunTarget, slot: number): void {
    if (origin !== this.origin || slot !== this.first + this.count) {
      this.flush();
      this.origin = origin;
      this.first = slot;
    }
    this.count++;
  }

  /** Sends the run. Call before the batch is filled again. */
  flush(): void {
    const { origin, count } = this;
    if (origin === null) return;
    this.origin = null;
    this.count = 0;
    origin.forward(this.batch, this.first, count);
  }
}
