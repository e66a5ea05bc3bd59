import type { TlsCertificate } from '../../../net/index.ts';
import type { CertificateFiles, IssuedCertificate } from './certificate-file.ts';
import { AcmeError } from './order.ts';

export interface CertificateKeeperOptions {
  readonly files: CertificateFiles;
  /** Names that the host needs. */
  readonly names: readonly string[];
  /** Names that it also wants, by DNS-01; without them the others are ordered alone. */
  readonly wildcards: readonly string[];
  /** @throws AcmeError */
  order(names: readonly string[]): Promise<{ chain: string; key: string }>;
  /** A new certificate is in its file. */
  onCertificate(certificate: TlsCertificate): void;
  onFailure(failure: {
    reason: string;
    /** Type of the CA's problem document; null: none. */
    problem: string | null;
    /** True if the reason is the CA's own. */
    isFromCa: boolean;
    names: readonly string[];
    retryMs: number;
  }): void;
  /** Milliseconds since 1970. */
  now(): number;
  /** 0 to 1. */
  random(): number;
}

export interface KeeperState {
  readonly failures: number;
  /** End of the certificate, in ms since 1970; null: there is none. */
  readonly validToMs: number | null;
  /** Reason of the last failure, until the next success. */
  readonly reason: string | null;
  /** True if the reason is the CA's own. */
  readonly isFromCa: boolean;
  /** Its type, such as rateLimited (RFC 8555, section 6.7); null: none, or no failure. */
  readonly problem: string | null;
}

/** A certificate is renewed at two thirds of its life, less up to a twentieth of it, so that hosts don't renew at once. */
const RENEW_AT = 2 / 3;
const JITTER = 1 / 20;
const MINUTE_MS = 60_000;
const FIRST_RETRY_MS = MINUTE_MS;
const MAX_RETRY_MS = 12 * 60 * MINUTE_MS;
const RATE_LIMITED_MS = 60 * MINUTE_MS;
/** Failed DNS-01 challenges count against the CA's limits, so wildcards are tried once a day. */
const WILDCARDS_RETRY_MS = 24 * 60 * MINUTE_MS;
const MIN_WAIT_MS = 1000;
/** Longest wait at once: the wall clock may be set. */
const MAX_WAIT_MS = 60 * MINUTE_MS;

/** Keeps a certificate by ACME: orders the first, renews in time, never replaces a working one by nothing. */
export class CertificateKeeper {
  private readonly options: CertificateKeeperOptions;
  private current: IssuedCertificate | null = null;
  private timer: NodeJS.Timeout | null = null;
  private running: Promise<void> | null = null;
  private isClosed = false;
  private failures = 0;
  /** Failures since the last success. */
  private inRow = 0;
  private retryAtMs = 0;
  private lastProblem: string | null = null;
  private lastReason: string | null = null;
  private isLastFromCa = false;
  private wildcardsAtMs = 0;
  private readonly jitter: number;

  constructor(options: CertificateKeeperOptions) {
    this.options = options;
    this.current = options.files.read();
    this.jitter = options.random() * JITTER;
  }

  /** The certificate in its file; null: none has been issued. */
  get certificate(): TlsCertificate | null {
    return this.current?.certificate ?? null;
  }

  get state(): KeeperState {
    return {
      failures: this.failures,
      validToMs: this.current?.validToMs ?? null,
      reason: this.lastReason,
      isFromCa: this.isLastFromCa,
      problem: this.lastReason === null ? null : this.lastProblem,
    };
  }

  /** Orders what is due, and goes on doing so. */
  start(): void {
    this.schedule();
  }

  async close(): Promise<void> {
    this.isClosed = true;
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }

  /** Time of the next order, in ms since 1970. */
  get dueAtMs(): number {
    return Math.max(this.wantedAtMs, this.retryAtMs);
  }

  /** Orders a certificate if one is due. Never rejects. */
  async renewIfDue(): Promise<void> {
    if (this.options.now() < this.dueAtMs) return;
    this.running ??= this.renew().finally(() => {
      this.running = null;
    });
    await this.running;
  }

  private get wantedAtMs(): number {
    const { current } = this;
    if (current === null || !this.covers(this.options.names)) return 0;
    const life = current.validToMs - current.validFromMs;
    const renewAtMs = current.validFromMs + life * (RENEW_AT - this.jitter);
    return this.covers(this.options.wildcards) ? renewAtMs : Math.min(renewAtMs, this.wildcardsAtMs);
  }

  private covers(names: readonly string[]): boolean {
    return names.every((name) => this.current?.names.includes(name));
  }

  private schedule(): void {
    if (this.isClosed) return;
    const wait = Math.min(Math.max(this.dueAtMs - this.options.now(), MIN_WAIT_MS), MAX_WAIT_MS);
    this.timer = setTimeout(() => void this.renewIfDue().then(() => this.schedule()), wait).unref();
  }

  private async renew(): Promise<void> {
    const { names, wildcards, now } = this.options;
    // A DNS-01 challenge that nobody can see takes minutes to fail: the first certificate does not wait for one.
    if (!this.covers(names)) {
      await this.tryOrder(names);
      return;
    }
    if (wildcards.length > 0 && now() >= this.wildcardsAtMs) {
      if (await this.tryOrder([...names, ...wildcards])) return;
      this.wildcardsAtMs = now() + WILDCARDS_RETRY_MS;
      if (this.lastProblem === 'rateLimited') return;
      // A certificate without wildcards that is not due yet stays.
      if (this.isClosed || this.wantedAtMs > now()) {
        this.retryAtMs = 0;
        return;
      }
    }
    await this.tryOrder(names);
  }

  private async tryOrder(names: readonly string[]): Promise<boolean> {
    const { files, order, onCertificate, onFailure, now, random } = this.options;
    try {
      const { chain, key } = await order(names);
      this.current = files.write(chain, key);
      this.inRow = 0;
      this.retryAtMs = 0;
      this.lastReason = null;
      onCertificate(this.current.certificate);
      return true;
    } catch (error) {
      this.failures++;
      this.inRow++;
      const failure = error instanceof AcmeError ? error : null;
      const { problem = null, retryAfterMs = null, isFromCa = false } = failure ?? {};
      this.lastProblem = problem;
      this.isLastFromCa = isFromCa;
      this.lastReason = (error as Error).message;
      const backoff = Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** (this.inRow - 1));
      const least = problem === 'rateLimited' ? RATE_LIMITED_MS : 0;
      const retryMs = Math.round(Math.max(backoff * (1 + random() / 2), retryAfterMs ?? 0, least));
      this.retryAtMs = now() + retryMs;
      onFailure({ reason: (error as Error).message, problem, isFromCa, names, retryMs });
      return false;
    }
  }
}
