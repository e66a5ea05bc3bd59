import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '../log.ts';
import { openOperatorLink } from '../operator/socket.ts';
import { Link, type Notice } from './link.ts';
import { PROTOCOL } from './protocol.ts';
import type { Position } from './shared-state.ts';
import type { StatePeer } from './state-peer.ts';

const RETRY_MS = 100;
/** An old process without a successor cannot learn which registrations have ended. */
const PATIENCE_MS = 60_000;

/** Why an old process ends: too many, the one that serves stops, or there has been none for a minute. */
export type EndReason = 'crowded' | 'stopped' | 'no-successor';

export interface SuccessorOptions {
  readonly dataDir: string;
  readonly peer: StatePeer;
  readonly log: Log;
  /** Called once. */
  onEnd(reason: EndReason): void;
}

/** The process that serves, as an old one follows it: whichever has the operator socket. */
export class Successor {
  private readonly options: SuccessorOptions;
  private readonly retiredAtMs = Date.now();
  private link: Link | null = null;
  private isClosed = false;

  constructor(options: SuccessorOptions) {
    this.options = options;
    void this.follow();
  }

  close(): void {
    this.isClosed = true;
    this.link?.close();
  }

  private async follow(): Promise<void> {
    let lastMs = performance.now();
    while (!this.isClosed) {
      const link = await this.connect().catch(() => null);
      if (link !== null) {
        await new Promise<void>((closed) => link.handle({ closed, notice: (notice) => this.hear(notice) }));
        this.options.peer.detach(link);
        lastMs = performance.now();
      } else if (performance.now() - lastMs > PATIENCE_MS) {
        this.end('no-successor');
        return;
      }
      await delay(RETRY_MS);
    }
  }

  private async connect(): Promise<Link | null> {
    const { retiredAtMs } = this;
    const { dataDir, peer } = this.options;
    const request = { command: 'follow', protocol: PROTOCOL, pid: process.pid, retiredAtMs } as const;
    const opened = await openOperatorLink(dataDir, request);
    if (opened === null) return null;
    const { reply, socket, rest } = opened;
    if (reply['accepted'] !== true || this.isClosed) {
      socket.destroy();
      return null;
    }
    const link = new Link(socket, rest);
    this.link = link;
    peer.attach(link, reply['position'] as Position | null);
    return link;
  }

  private hear(notice: Notice): void {
    if (notice.notice === 'end') this.end(notice['reason'] as EndReason);
    else this.options.peer.hear(notice);
  }

  private end(reason: EndReason): void {
    if (this.isClosed) return;
    this.close();
    this.options.onEnd(reason);
  }
}
