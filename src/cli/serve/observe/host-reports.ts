import type { HostReport, ReportChannel } from '../../../registry/store/redis/report/index.ts';
import { errorCode } from '../../error-code.ts';
import type { Log } from '../log.ts';

const INTERVAL_MS = 30_000;
/** Errors that waiting does not heal: the user may not write its key, or the store is a replica. */
const LACKS_RIGHTS = new Set(['NOPERM', 'READONLY']);

export interface HostReportsOptions {
  readonly url: string;
  readonly log: Log;
  /** This host's report, as it is now. */
  own(): HostReport;
  /** False on a host whose Redis user may not read the others' reports: an edge or a relay. */
  readonly readsOthers: boolean;
}

/** Writes this host's report to the shared store, and on a control reads those of all hosts. */
export class HostReports {
  private readonly channel: ReportChannel;
  private readonly options: HostReportsOptions;
  private readonly timer: NodeJS.Timeout;
  private others: readonly HostReport[] = [];
  /** Code of the last error that was logged. */
  private failing: string | null = null;

  private constructor(channel: ReportChannel, options: HostReportsOptions) {
    this.channel = channel;
    this.options = options;
    this.timer = setInterval(() => void this.exchange(), INTERVAL_MS).unref();
  }

  static async open(options: HostReportsOptions): Promise<HostReports> {
    // Imported lazily: processes with the embedded store don't load the Redis client.
    const { ReportChannel } = await import('../../../registry/store/redis/report/index.ts');
    const reports = new HostReports(new ReportChannel(options.url), options);
    setTimeout(() => void reports.exchange(), 1_000).unref();
    return reports;
  }

  /** Addresses that hosts report as their own. The caller decides which of them to believe. */
  get addresses(): string[] {
    return this.others.flatMap(({ addresses }) => addresses);
  }

  close(): void {
    clearInterval(this.timer);
    this.channel.close();
  }

  private async exchange(): Promise<void> {
    const { own, readsOthers, log } = this.options;
    try {
      await this.channel.write(own());
      if (readsOthers) this.others = await this.channel.readAll();
      this.failing = null;
    } catch (error) {
      const code = errorCode(error);
      if (code === this.failing) return;
      this.failing = code;
      const message = "this host's report does not reach the store: controls don't know its addresses";
      if (LACKS_RIGHTS.has(code)) log.warn({ code }, message);
      else log.info({ code }, message);
    }
  }
}
