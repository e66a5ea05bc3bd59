import { StoreUnavailableError } from '../../errors.ts';
import { ReplyRecord } from './reply.ts';
import type { StoreLink } from './store-link.ts';

/** Longest wait for replicas. WAIT holds back all commands behind it on its connection. */
const WAIT_MS = 500;

/**
 * Waits until replicas have what was written. Callers that come during one WAIT share the next one, so that a connection
 * never has two of them.
 */
export class Replication {
  private readonly link: StoreLink;
  private readonly replicas: number;
  private running: Promise<unknown> = Promise.resolve();
  private next: Promise<ConfirmedWrite> | null = null;

  /** @param replicas number that must confirm each write; 0: none */
  constructor(link: StoreLink, replicas: number) {
    this.link = link;
    this.replicas = replicas;
  }

  get isOn(): boolean {
    return this.replicas > 0;
  }

  /**
   * Resolves once enough replicas have all writes of a connection up to now.
   *
   * @param connection `link.connections` before the write: another connection may lead to another server
   * @param seq the last change that was written
   * @throws StoreUnavailableError if the replicas have not confirmed it in time; the write may have been done
   */
  async confirm(connection: number, seq = 0): Promise<void> {
    if (!this.isOn) return;
    const confirmed = await this.shared();
    if (confirmed.connection !== connection || confirmed.seq < seq) throw unconfirmed();
    this.link.reached(confirmed.seq);
  }

  private shared(): Promise<ConfirmedWrite> {
    this.next ??= this.running.then(() => {
      const current = this.wait();
      this.next = null;
      this.running = current.catch(() => {});
      return current;
    });
    return this.next;
  }

  /**
   * Writes on the connection, then waits for the replicas: WAIT covers what its own connection has written, and a
   * repeated call may have written nothing.
   */
  private async wait(): Promise<ConfirmedWrite> {
    const { link } = this;
    const connection = link.connections;
    const [, reply] = await link.run('confirm', {});
    const seq = new ReplyRecord(reply).number('seq');
    if (link.connections !== connection) throw unconfirmed();
    const count = await link.waitForReplicas(this.replicas, WAIT_MS);
    if (count < this.replicas || link.connections !== connection) throw unconfirmed();
    return { connection, seq };
  }
}

interface ConfirmedWrite {
  readonly connection: number;
  /** The store's last change that the replicas have. */
  readonly seq: number;
}

function unconfirmed(): StoreUnavailableError {
  return new StoreUnavailableError(
    'fewer replicas of Redis than redis.waitReplicas have confirmed it in time; it may have been done',
  );
}
