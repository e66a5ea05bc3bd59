import { MAX_HEAD_BYTES } from './request-reader.ts';

/** Result of `read`. */
export const Upgrade = {
  /** The reply to the upgrade request is not known yet. */
  PENDING: 0,
  /** 101: what follows is the other protocol, in both directions. */
  SWITCHED: 1,
  /** Any other status: the connection goes on as HTTP. */
  DECLINED: 2,
} as const;
export type Upgrade = (typeof Upgrade)[keyof typeof Upgrade];

const STATUS = /^HTTP\/1\.1 (\d{3})[ \r]/;

/** Reads an origin's reply to an upgrade request up to its status. Interim replies (100, 103) come before it. */
export class UpgradeReply {
  private held: Buffer = Buffer.alloc(0);

  read(chunk: Buffer): Upgrade {
    this.held = Buffer.concat([this.held, chunk]);
    for (;;) {
      const end = this.held.indexOf('\r\n\r\n', 0, 'latin1');
      if (end < 0) return this.held.length > MAX_HEAD_BYTES ? Upgrade.DECLINED : Upgrade.PENDING;
      const status = STATUS.exec(this.held.toString('latin1', 0, 14))?.[1] ?? '';
      if (status === '101') return Upgrade.SWITCHED;
      if (!status.startsWith('1')) return Upgrade.DECLINED;
      this.held = this.held.subarray(end + 4);
    }
  }
}
