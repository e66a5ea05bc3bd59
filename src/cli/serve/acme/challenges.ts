import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { promisify } from 'node:util';

/** A TXT record that proves control of a name (RFC 8555, section 8.4). */
export interface DnsChallenge {
  /** Such as `_acme-challenge.dns.example.com`. */
  readonly name: string;
  readonly value: string;
}

export interface ChallengesOptions {
  /** Command that publishes TXT records: `HOOK set|remove NAME VALUE`; null: the edge answers them. */
  readonly dnsHook: string | null;
  /** Gives the edge the records to answer. Resolves once it does. */
  publish(records: readonly DnsChallenge[]): Promise<void>;
}

const HOOK_TIMEOUT_MS = 300_000;
const run = promisify(execFile);

/** The challenges of orders under way. */
export class Challenges {
  private readonly options: ChallengesOptions;
  private readonly tokens = new Map<string, string>();
  private records: readonly DnsChallenge[] = [];

  constructor(options: ChallengesOptions) {
    this.options = options;
  }

  /** Answer to an HTTP-01 challenge; null: unknown. */
  answer(token: string): string | null {
    return this.tokens.get(token) ?? null;
  }

  addHttp(token: string, keyAuthorization: string): void {
    this.tokens.set(token, keyAuthorization);
  }

  removeHttp(token: string): void {
    this.tokens.delete(token);
  }

  async addDns(name: string, keyAuthorization: string): Promise<void> {
    await this.setDns(recordOf(name, keyAuthorization), true);
  }

  async removeDns(name: string, keyAuthorization: string): Promise<void> {
    await this.setDns(recordOf(name, keyAuthorization), false);
  }

  private async setDns(record: DnsChallenge, isSet: boolean): Promise<void> {
    const { dnsHook } = this.options;
    if (dnsHook !== null) {
      await run(dnsHook, [isSet ? 'set' : 'remove', record.name, record.value], { timeout: HOOK_TIMEOUT_MS });
      return;
    }
    const others = this.records.filter(({ name, value }) => name !== record.name || value !== record.value);
    this.records = isSet ? [...others, record] : others;
    await this.options.publish(this.records);
  }
}

/** acme-client gives the value itself for DNS; the digest of anything else is made here. */
function recordOf(name: string, value: string): DnsChallenge {
  const isDigest = /^[\w-]{43}$/.test(value);
  return {
    name: `_acme-challenge.${name}`,
    value: isDigest ? value : createHash('sha256').update(value).digest('base64url'),
  };
}
