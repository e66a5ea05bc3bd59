import { type BundleStore, fetchBundle } from '../../../catalog/bundle/index.ts';
import type { ServiceFile } from '../../../catalog/index.ts';
import type { Log } from '../log.ts';

/** Fetches are spread by this share of the interval, so that a fleet does not fetch in one second. */
const JITTER = 0.1;
/** Longest time that an edge keeps answering by the old bundle, so that relays take the new one first. */
const LONGEST_HOLD_MS = 600_000;

export interface BundleRefreshOptions {
  readonly store: BundleStore;
  readonly url: string;
  readonly refreshSeconds: number;
  /** True on an edge without a relay of its own: relays elsewhere must know a name before it leads devices to them. */
  readonly waitsForRelays: boolean;
  readonly log: Log;
  /** Monotonic clock, in ms. */
  readonly now: () => number;
  /** A number from 0 to 1. */
  readonly random: () => number;
  /** Version that is served now; null: service files. */
  served(): number | null;
  /** Builds the catalog from service files, to see whether it can be used. @throws CatalogError */
  check(files: readonly ServiceFile[]): void;
  /** Serves the store's current bundle. Errors are logged there. */
  apply(): Promise<void>;
}

/** Keeps the catalog at the newest bundle of a URL. A bundle that cannot be used changes nothing. */
export class BundleRefresh {
  private readonly options: BundleRefreshOptions;
  private timer: NodeJS.Timeout | null = null;
  private etag: string | null = null;
  /** Version that waits for relays, and since when. */
  private held: { readonly version: number; readonly sinceMs: number } | null = null;
  private isClosed = false;
  /** Code of the last error that was logged. */
  private failing: string | null = null;
  private isLastGood = true;
  private lastGoodMs: number | null = null;

  constructor(options: BundleRefreshOptions) {
    this.options = options;
  }

  /** False after a fetch that failed or brought a bundle that cannot be used. */
  get isGood(): boolean {
    return this.isLastGood;
  }

  /** Seconds since a fetch was last good; null: never since the start. */
  get ageSeconds(): number | null {
    return this.lastGoodMs === null ? null : (this.options.now() - this.lastGoodMs) / 1000;
  }

  /** Fetches now, and from then on at the interval. */
  start(): void {
    void this.run();
  }

  close(): void {
    this.isClosed = true;
    if (this.timer !== null) clearTimeout(this.timer);
  }

  /** Fetches once and takes a newer bundle. Never throws. */
  async refresh(): Promise<void> {
    const { log } = this.options;
    try {
      await this.fetch();
      this.isLastGood = true;
      this.lastGoodMs = this.options.now();
      if (this.failing !== null) log.info({}, 'the catalog bundle can be fetched and used again');
      this.failing = null;
    } catch (error) {
      const { code, message } = error as { code?: string; message: string };
      if (code === undefined) throw error;
      this.isLastGood = false;
      this.etag = null;
      if (this.failing === code) return;
      this.failing = code;
      log.error({ code, errors: message.split('\n') }, 'no new catalog bundle: the catalog stays as it is');
    }
  }

  private async run(): Promise<void> {
    await this.refresh();
    if (this.isClosed) return;
    const { refreshSeconds, random } = this.options;
    const seconds = refreshSeconds * (1 + JITTER * (2 * random() - 1));
    const waitMs = this.held === null ? seconds * 1000 : Math.min(seconds * 1000, this.holdMs);
    this.timer = setTimeout(() => void this.run(), waitMs).unref();
  }

  private get holdMs(): number {
    return Math.min(LONGEST_HOLD_MS, this.options.refreshSeconds * (1 + 2 * JITTER) * 1000);
  }

  private async fetch(): Promise<void> {
    const { store, url, served, check, apply, log } = this.options;
    const fetched = await fetchBundle(url, this.held === null ? this.etag : null);
    if (fetched !== null) {
      const candidate = store.examine(fetched.bytes);
      if (candidate.outcome === 'new') {
        check(candidate.bundle.files);
        if (this.mustHold(candidate.bundle.version)) return;
        store.take(fetched.bytes, candidate.bundle);
        log.info({ version: candidate.bundle.version }, 'took a new catalog bundle');
      }
      this.held = null;
      // Without it after `pinned`: once unpinned, the same file has to be fetched again.
      this.etag = candidate.outcome === 'pinned' ? null : fetched.etag;
    }
    // Also when a reload failed after an earlier fetch.
    if (store.state.current !== served()) await apply();
  }

  private mustHold(version: number): boolean {
    const { waitsForRelays, store, now } = this.options;
    if (!waitsForRelays || store.state.current === null) return false;
    if (this.held?.version !== version) this.held = { version, sinceMs: now() };
    return now() - this.held.sinceMs < this.holdMs;
  }
}
