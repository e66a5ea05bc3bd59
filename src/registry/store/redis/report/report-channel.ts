import { hostname } from 'node:os';
import type { Redis } from 'ioredis';
import { parseRedisUrl } from '../../../../net/index.ts';
import { connectRedis } from '../connect.ts';
import { reportKey } from '../keys.ts';
import { formatReport, type HostReport, parseReport } from './host-report.ts';

/** A report ends with its host: three missed writes. */
const REPORT_TTL_MS = 90_000;
const SCAN_COUNT = 1_000;

/**
 * The one channel by which hosts tell each other about themselves: a key each with a time to live. A host's Redis user
 * may write its own key only, so the key's id is the user's name.
 */
export class ReportChannel {
  private readonly redis: Redis;
  private readonly key: string;

  constructor(url: string) {
    const parsed = parseRedisUrl(url);
    const username = 'error' in parsed ? null : parsed.username;
    this.key = reportKey(username ?? hostname());
    // An edge's user may not call INFO.
    this.redis = connectRedis(url, { name: 'mediastreamer-report', readyCheck: false });
  }

  /** @throws errors of Redis with their first word as `code`: NOPERM for a user without the right, READONLY */
  async write(report: HostReport): Promise<void> {
    await this.run(() => this.redis.set(this.key, formatReport(report), 'PX', REPORT_TTL_MS));
  }

  /** Reads the reports of all hosts and skips malformed ones. The user must be a control's. */
  async readAll(): Promise<HostReport[]> {
    const reports: HostReport[] = [];
    let cursor = '0';
    do {
      const [next, keys] = await this.run(() =>
        this.redis.scan(cursor, 'MATCH', reportKey('*'), 'COUNT', SCAN_COUNT),
      );
      for (const key of keys) {
        const text = await this.run(() => this.redis.get(key));
        const report = text === null ? null : parseReport(text);
        if (report !== null) reports.push(report);
      }
      cursor = next;
    } while (cursor !== '0');
    return reports;
  }

  close(): void {
    this.redis.disconnect();
  }

  /** Messages of Redis may hold arguments: only the first word is kept. */
  private async run<Value>(command: () => Promise<Value>): Promise<Value> {
    try {
      return await command();
    } catch (error) {
      const code = /^[A-Z]+(?= )/.exec((error as Error).message)?.[0] ?? 'unreachable';
      throw Object.assign(new Error('the report channel does not work'), { code });
    }
  }
}
