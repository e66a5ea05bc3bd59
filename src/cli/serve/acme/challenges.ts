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

/** acme.dnsHook failed. */
export class DnsHookError extends Error {
  readonly code = 'dns_hook_failed';
}

const HOOK_TIMEOUT_MS = 300_000;
const MAX_HOOK_REASON = 200;
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
      await runHook(dnsHook, isSet ? 'set' : 'remove', record);
      return;
    }
    const others = this.records.filter(({ name, value }) => name !== record.name || value !== record.value);
    this.records = isSet ? [...others, record] : others;
    await this.options.publish(this.records);
  }
}

/** @throws DnsHookError with its exit code and the last line of what it says */
async function runHook(hook: string, action: 'set' | 'remove', { name, value }: DnsChallenge): Promise<void> {
  try {
    await run(hook, [action, name, value], { timeout: HOOK_TIMEOUT_MS });
  } catch (error) {
    const { code, killed, stderr = '' } = error as { code?: unknown; killed?: boolean; stderr?: string };
    const ended = killed === true ? `took longer than ${HOOK_TIMEOUT_MS / 1000} s` : `ended with ${code}`;
    const line = stderr.trim().split('\n').at(-1)!.slice(0, MAX_HOOK_REASON);
    throw new DnsHookError(`acme.dnsHook ${action} ${ended}${line === '' ? '' : `: ${line}`}`);
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
